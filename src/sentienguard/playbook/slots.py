"""What the slots of `match` usually say. Called by `lint`, which takes others for likely typos."""

SYSTEMS = frozenset(
    {
        "any",
        "linux",
        "systemd",
        "journald",
        "nginx",
        "http",
        "tls",
        "dns",
        "ntp",
        "postgresql",
        "mysql",
        "redis",
        "kubernetes",
        "aws",
        "gcp",
        "azure",
    }
)
RESOURCES = frozenset(
    {
        "any",
        "disk",
        "inode",
        "memory",
        "swap",
        "cpu",
        "process",
        "service",
        "connections",
        "certificate",
        "clock",
        "log",
        "config",
        "resolver",
    }
)
SYMPTOMS = frozenset(
    {
        "any",
        "full",
        "hung",
        "down",
        "leak",
        "runaway",
        "zombie",
        "saturated",
        "expired",
        "degraded",
        "flood",
        "skewed",
        "stale",
        "unresolvable",
    }
)
