"""Delete, set aside or empty files below a directory, or give one setting of a file a value.

    clean        cannot be undone, except that deleting nothing needs no undo
    quarantine   undo moves the files back; with `rest: refuse` it moves all that match or none
    truncate     cannot be undone
    set_setting  undo puts the file's former bytes back
    use_backup   the same

Files are found again by device, inode, size and time when they are acted on; see ports.files.
"""

import base64
import dataclasses
import hashlib
import re

from sentienguard.model import order, playbook
from sentienguard.ports import files
from sentienguard.stages.execute import parameters, targets, work

MAX_FILES = 10_000  # in one run of a step that deletes or empties; the next run goes on
MAX_KEPT_FILES = 1_000  # in one run of a step that sets aside: each is recorded before
MAX_CONFIG_BYTES = 256 * 1024  # of a file whose bytes are recorded before it changes
_REMOVES = frozenset({"clean", "quarantine", "truncate"})
_WRITES = frozenset({"set_setting", "use_backup"})  # whose undo is the file's former bytes
KEPT = ".sentienguard-kept-"  # directories of this name are never looked into


class Fs:
    """A work.StepKind."""

    def plan(self, action: playbook.Action, bound: parameters.Bound) -> tuple[str, ...]:
        """Return `fs`, the operation and its operands as `name=value`."""
        operands = (
            f"{name}={bound.text(value)}"
            for name, value in sorted(action.fields.items())
            if name != "operation"
        )
        return ("fs", _operation(action), *operands)

    def prepare(self, action: playbook.Action, context: work.Context) -> work.Recorded:
        """Record the files to be moved, or the bytes to be changed."""
        operation = _operation(action)
        if operation in _WRITES:
            path = targets.config_file(action.fields, context)
            content = small(context.host.files, path)
            return {
                "path": path,
                "content": base64.b64encode(content).decode(),
                "after": _digest(_wanted(action, context, path, content)),
            }
        selection = _selection(action, context)
        if operation != "quarantine":
            return {"root": selection.root}
        found = context.host.files.find(selection)
        if found.more and action.fields.get("rest") == "refuse":
            raise work.NotPossible(
                f"{selection.root} holds more than {selection.at_most} files that match, and moving"
                " a part of them is no use; people have to look"
            )
        return {
            "root": selection.root,
            "kept": KEPT + re.sub(r"[^A-Za-z0-9_]", "-", context.mark),
            "files": [dataclasses.asdict(each) for each in found.files],
            "more": found.more,
        }

    def would_remove(self, action: playbook.Action, context: work.Context) -> bool | None:
        """Look for the files; see work.Removing."""
        if _operation(action) not in _REMOVES:
            return None
        found = context.host.files.find(_selection(action, context))
        return bool(found.files)

    def run(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Do it."""
        host = context.host.files
        match _operation(action):
            case "set_setting" | "use_backup":
                return _set(action, context, recorded)
            case "quarantine":
                moved = host.move(recorded["root"], _files(recorded), recorded["kept"])
                more = ", more remain" if recorded["more"] else ""
                detail = f"moved {moved} files to {recorded['root']}/{recorded['kept']}{more}"
                return _done(detail, changed=moved > 0)
            case "truncate":
                found = host.find(_selection(action, context))
                cut = host.truncate(recorded["root"], found.files)
                return _done(_told("emptied", cut, found), changed=cut > 0)
            case "clean":
                found = host.find(_selection(action, context))
                deleted = host.delete(recorded["root"], found.files)
                return _done(_told("deleted", deleted, found), changed=deleted > 0)
            case unknown:
                raise work.NotPossible(f"fs has no operation {unknown!r}")

    def restore(
        self, action: playbook.Action, context: work.Context, recorded: work.Recorded
    ) -> work.Done:
        """Move files back, or write the former bytes; say of the rest that it is gone."""
        host = context.host.files
        match _operation(action):
            case "quarantine":
                kept = _files(recorded)
                back = host.move_back(recorded["root"], kept, recorded["kept"])
                detail = f"{back} of {len(kept)} files are where they were"
                whole = back == len(kept)
                return _done(detail) if whole else work.Done(order.StepStatus.FAILED, detail)
            case "set_setting" | "use_backup":
                return _unset(host, recorded)
            case operation:
                return work.Done(
                    order.StepStatus.NOT_UNDOABLE, f"what {operation} removed cannot come back"
                )


def _set(action: playbook.Action, context: work.Context, recorded: work.Recorded) -> work.Done:
    before = context.host.files.read(recorded["path"])
    if before != base64.b64decode(recorded["content"]):
        return work.Done(
            order.StepStatus.FAILED, f"{recorded['path']} changed meanwhile", changed=False
        )
    after = _wanted(action, context, recorded["path"], before)
    if _digest(after) != recorded["after"]:
        return work.Done(
            order.StepStatus.FAILED, f"the copy of {recorded['path']} changed", changed=False
        )
    if after != before:
        context.host.files.replace(recorded["path"], after)
    return _done(f"{_said(action, context)} in {recorded['path']}", changed=after != before)


def _wanted(action: playbook.Action, context: work.Context, path: str, content: bytes) -> bytes:
    """Return what the file is to hold. Raises work.NotPossible where there is no such thing."""
    if _operation(action) == "set_setting":
        key, value = (context.bound.text(action.fields.get(one)) for one in ("key", "value"))
        return with_setting(content, key, value)
    copy = path + context.bound.text(action.fields.get("suffix"))
    kept = small(context.host.files, copy)
    if not kept.strip():
        raise work.NotPossible(f"{copy} is empty, which is no copy of a good file")
    return kept


def small(host: files.Files, path: str) -> bytes:
    """Read a configuration file. Raises work.NotPossible where it is none by its size."""
    content = host.read(path)
    if len(content) > MAX_CONFIG_BYTES:
        raise work.NotPossible(
            f"{path} has {len(content)} bytes; at most {MAX_CONFIG_BYTES} can be kept"
        )
    return content


def _said(action: playbook.Action, context: work.Context) -> str:
    if _operation(action) == "use_backup":
        return f"the copy {context.bound.text(action.fields.get('suffix'))} is"
    key, value = (context.bound.text(action.fields.get(one)) for one in ("key", "value"))
    return f"{key} is {value}"


def _unset(host: files.Files, recorded: work.Recorded) -> work.Done:
    path, before = recorded["path"], base64.b64decode(recorded["content"])
    found = host.read(path)
    if found != before:
        if _digest(found) != recorded["after"]:
            return work.Done(
                order.StepStatus.FAILED,
                f"{path} was changed by somebody else after the step; it is left as it is",
            )
        host.replace(path, before)
    if host.read(path) != before:
        return work.Done(order.StepStatus.FAILED, f"{path} does not have its former bytes")
    return _done(f"{path} has its former bytes")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def with_setting(content: bytes, key: str, value: str) -> bytes:
    """Return a configuration file with one setting changed, or added at its end.

    The last line that sets the key is the one that counts; comments and all other bytes stay.
    """
    found = _lines_of(content, key)
    if not found:
        gap = b"" if not content or content.endswith(b"\n") else b"\n"
        return content + gap + f"{key} = {value}\n".encode()
    last = found[-1]
    return content[: last.start(2)] + value.encode() + content[last.end(2) :]


def has_setting(content: bytes, key: str) -> bool:
    """Tell whether a line of a configuration file gives the setting a value."""
    return any(line[2].strip() for line in _lines_of(content, key))


def _lines_of(content: bytes, key: str) -> list[re.Match[bytes]]:
    pattern = re.compile(
        rb"^([ \t]*" + re.escape(key.encode()) + rb"(?:[ \t]*[=:][ \t]*|[ \t]+))([^\r\n]*)",
        re.MULTILINE,
    )
    return list(pattern.finditer(content))


def _selection(action: playbook.Action, context: work.Context) -> files.Selection:
    bound, fields = context.bound, action.fields
    most = MAX_KEPT_FILES if _operation(action) == "quarantine" else MAX_FILES
    return files.Selection(
        root=bound.text(fields.get("path")),
        pattern=bound.text(fields.get("pattern")),
        below=bound.text(fields["below"]) if "below" in fields else "",
        min_age_s=bound.seconds(fields.get("min_age")),
        min_size=bound.size(fields.get("min_size")),
        keep_newest=bound.integer(fields.get("keep_newest")),
        at_most=min(bound.integer(fields.get("max_files"), most), most),
    )


def _files(recorded: work.Recorded) -> tuple[files.Found, ...]:
    return tuple(files.Found(**each) for each in recorded["files"])  # written by asdict


def _told(did: str, count: int, found: files.Findings) -> str:
    more = "; more remain for the next run" if found.more else ""
    return f"{did} {count} of {len(found.files)} files, {found.bytes} bytes found{more}"


def _operation(action: playbook.Action) -> str:
    return str(action.fields.get("operation"))


def _done(detail: str, *, changed: bool = True) -> work.Done:
    return work.Done(order.StepStatus.SUCCESS, detail, changed)
