"""Expressions of our subset: one for each of its parts, and any number of random ones.

What is left out, because Prometheus 2.42 itself is unsure or wrong, stands in
docs/reference/promql.md under "Differences".
"""

import random

# Every function, operator and modifier of docs/reference/promql.md, in one expression at least.
TEXTS = """
temperature
temperature{zone="a"}
temperature{zone!="a",host=~"h[12].*"}
{__name__=~"temp.*|level",zone!~"b|c"}
temperature offset 5m
temperature offset -3m
temperature @ 1768475000
temperature @ start()
temperature @ end() offset 2m
brief
odd
nothing
-temperature
-(1)
+temperature
1
-2.5
"text"
time()
pi()
1 + 2 * 3 ^ 2 ^ 0.5 % 4 - -1
1 == bool 2
2 atan2 3
1 / 0
temperature + 1
2 * temperature
10 % level
level % 2
level ^ 2
2 ^ level
level / 0
temperature atan2 2
temperature > 40
40 < temperature
40 < bool temperature
temperature >= bool 40
level == 1
level != 1
level <= 0
odd == odd
odd > bool 1
temperature - temperature offset 5m
level * on(zone) group_left capacity
level * on(zone) group_left(tier) capacity
capacity / on(zone) group_right level
capacity - ignoring(tier) capacity_limit
capacity + on(zone) capacity_limit
level > on(zone) group_left capacity_limit
level < bool on(zone) group_left capacity_limit
capacity_limit >= on(zone) group_right level
capacity == ignoring(tier) capacity
temperature and on(zone) (level > 1)
temperature or level
temperature unless on(zone) level{zone="a"}
level and level{zone="b"}
level or on(zone) temperature
(level > 0) or (level < -1)
temperature unless temperature{zone="a"}
level + level
level * on(zone, unit) level
temperature[5m]
temperature[2m] offset 1m
max_over_time(level[2m])[5m:1m]
rate(requests_total[5m])
rate(requests_total[1m])
rate(requests_total[37s])
rate(requests_total[5m] offset 3m)
rate(requests_total[5m] @ 1768475000)
irate(requests_total[5m])
increase(requests_total[10m])
increase(requests_total[20s])
delta(temperature[5m])
idelta(temperature[5m])
deriv(temperature[10m])
deriv(large[10m])
deriv(level[1m])
deriv(capacity[5m])
deriv(odd[2m])
predict_linear(temperature[10m], 3600)
predict_linear(temperature[10m] offset 5m, 600)
predict_linear(capacity[10m], 3600)
rate(odd[5m])
irate(odd[1m])
delta(odd[5m])
resets(requests_total[30m])
resets(level[10m])
changes(level[10m])
changes(odd[10m])
avg_over_time(temperature[5m])
avg_over_time(odd{zone="a"}[1m])
min_over_time(temperature[5m])
min_over_time(odd[5m])
max_over_time(temperature[5m])
max_over_time(odd[1m])
sum_over_time(temperature[5m])
sum_over_time(large[1h])
count_over_time(temperature[5m])
last_over_time(temperature[5m])
present_over_time(temperature[1m])
stddev_over_time(temperature[5m])
stdvar_over_time(temperature[1h])
quantile_over_time(0.9, temperature[5m])
quantile_over_time(-1, temperature[5m])
quantile_over_time(2, temperature[5m])
quantile_over_time(0.5, odd{zone="a"}[5m])
absent_over_time(brief[5m])
absent_over_time(nothing{zone="a",b=~"c"}[5m])
absent_over_time(temperature[5m])
absent(brief)
absent(nothing{zone="a",host!="b"})
absent(sum(nothing{zone="a"}))
absent(temperature)
max_over_time(rate(requests_total[1m])[10m:30s])
avg_over_time((temperature > 30)[10m:])
sum_over_time(level[10m:1m] offset 2m)
min_over_time(temperature[10m:45s] @ end())
last_over_time(temperature[10m:1m])
rate(requests_total[10m:1m])
predict_linear(temperature[20m:1m], 300)
deriv(sum by (zone) (temperature)[10m:1m])
quantile_over_time(scalar(level{zone="a",unit="x"}) / 4, temperature[5m])
sum(temperature)
sum by (zone) (temperature)
sum without (zone, host) (temperature)
sum by () (temperature)
avg by (zone) (temperature)
avg(odd)
sum(odd)
min by (zone) (temperature)
min(odd)
max without (host) (temperature)
max(odd)
count by (zone) (temperature > 40)
group by (zone) (temperature)
stddev by (zone) (temperature)
stdvar(temperature)
stddev(odd)
stdvar by (zone) (odd)
topk(2, temperature)
topk by (zone) (1, temperature)
bottomk(3, temperature)
bottomk(2, level)
topk(3, level)
topk without (unit) (1, level)
topk(0, level)
topk(-1, level)
topk(100, level)
topk(2, odd)
bottomk(1, odd)
quantile(0.5, temperature)
quantile by (zone) (0.9, temperature)
quantile(2, temperature)
quantile(-0.1, temperature)
quantile(0.3, odd)
count_values("value", level)
count_values by (zone) ("value", level)
count_values without (unit) ("value", level)
count_values("zone", odd)
abs(level)
ceil(temperature)
floor(temperature)
round(temperature)
round(temperature, 5)
round(temperature, 0.1)
round(level, 0)
clamp(temperature, 35, 45)
clamp(temperature, 45, 35)
clamp_min(temperature, 40)
clamp_max(temperature, 40)
clamp_max(odd, -Inf)
clamp_min(odd, NaN)
exp(level)
ln(temperature)
ln(level)
log2(temperature)
log10(temperature)
sqrt(level)
sgn(level)
sgn(odd)
sin(level)
cos(level)
tan(level)
asin(level)
acos(level)
atan(level)
sinh(level)
cosh(level)
tanh(level)
asinh(level)
acosh(level)
atanh(level)
deg(level)
rad(level)
scalar(temperature{host="h1-a"})
scalar(temperature)
scalar(nothing)
vector(1)
vector(time())
timestamp(temperature)
timestamp((temperature))
timestamp(temperature offset 5m)
timestamp(temperature @ 1768475000)
timestamp(temperature + 1)
timestamp(time() * temperature)
label_replace(temperature, "short", "$1", "host", "(h.).*")
label_replace(temperature, "short", "${n}-$$-$2", "host", "(?P<n>h.)-(.)")
label_replace(temperature, "zone", "", "host", "h1.*")
label_replace(temperature, "x", "fixed", "none", "")
label_replace(temperature, "x", "fixed", "host", "nomatch")
label_replace(level, "__name__", "other_$1", "unit", "(.*)")
label_join(temperature, "all", "/", "zone", "host")
label_join(temperature, "zone", "-")
histogram_quantile(0.9, took_bucket)
histogram_quantile(0.5, rate(took_bucket[5m]))
histogram_quantile(0.99, sum by (le) (rate(took_bucket[5m])))
histogram_quantile(0.99, sum by (le, zone) (increase(took_bucket[1m])))
histogram_quantile(1, took_bucket)
histogram_quantile(0, took_bucket)
histogram_quantile(2, took_bucket)
histogram_quantile(-1, took_bucket)
histogram_quantile(0.9, took_bucket{le!="+Inf"})
histogram_quantile(0.9, took_bucket{le="+Inf"})
histogram_quantile(0.9, temperature)
sort(temperature)
sort_desc(temperature)
sort(odd)
sort_desc(odd)
hour()
minute()
month()
year()
day_of_month()
day_of_week()
day_of_year()
days_in_month()
hour(stamp)
minute(stamp)
month(stamp)
year(stamp)
day_of_month(stamp)
day_of_week(stamp)
day_of_year(stamp)
days_in_month(stamp)
sum by (zone) (rate(requests_total{code="500"}[5m])) / sum by (zone) (rate(requests_total[5m]))
(temperature - avg_over_time(temperature[30m])) / stddev_over_time(temperature[30m])
""".strip().splitlines()

# What Prometheus refuses as well; only that both refuse is compared.
REFUSED = """
capacity + on(zone) group_left level
level * on(zone) capacity
capacity * on(zone) level
sum(
rate(temperature)
temperature[5m] + 1
label_replace(temperature, "host", "same", "zone", ".*")
label_replace(temperature, "1x", "", "zone", ".*")
label_replace(temperature, "x", "", "zone", "(")
label_join(temperature, "host", "", "job")
-{__name__=~"capacity.*",zone="a"} - 1
rate({__name__=~"capacity_limit|level",zone="a"}[5m]) + rate({__name__=~"capacity|level"}[5m])
level * on(job) group_left(tier) capacity
{__name__=~".*"}
count_values("1", level)
topk("a", level)
1 > 2
level > bool
foo(level)
""".strip().splitlines()

_VECTORS = (
    "temperature", "level", "capacity", "capacity_limit", "requests_total", "odd", "brief",
    'temperature{zone="a"}', 'level{unit="x"}', 'requests_total{code=~"4..|5.."}', "stamp",
)  # fmt: skip
_RANGED = (
    "rate", "irate", "increase", "delta", "idelta", "deriv", "resets", "changes",
    "avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time",
    "last_over_time", "present_over_time", "stddev_over_time", "stdvar_over_time",
)  # fmt: skip
_SINGLE = ("abs", "ceil", "floor", "round", "sgn", "sqrt", "exp", "timestamp", "sort")
_AGGREGATIONS = ("sum", "avg", "min", "max", "count", "stddev", "group")
_SPANS = ("45s", "1m", "90s", "5m", "17m", "1h")
_MOVES = ("", "", "", " offset 4m", " offset -90s", " @ 1768476000", " @ start()", " @ end()")
_BY = ("", " by (zone)", " by (zone, host)", " without (zone)", " without (host, unit, code)")


def random_text(dice: random.Random, depth: int = 3) -> str:  # noqa: PLR0911  one for each shape
    """Return an expression whose value is an instant vector, or an error on both sides."""
    if depth == 0:
        return dice.choice(_VECTORS) + dice.choice(_MOVES)
    inner = random_text(dice, depth - 1)
    shape = dice.randrange(9)
    if shape == 0:
        return f"{dice.choice(_RANGED)}({_range(dice, inner)})"
    if shape == 1:
        return f"{dice.choice(_SINGLE)}({inner})"
    if shape == 2:
        return f"{dice.choice(_AGGREGATIONS)}{dice.choice(_BY)} ({inner})"
    if shape == 3:
        number = dice.choice(("1", "2", "0.5", "-3", "1e3", 'scalar(capacity{zone="a"})'))
        operator = dice.choice(("+", "-", "*", "/", "^", ">", "<=", "== bool", "!=", "< bool"))
        pair = (f"({inner})", number)
        left, right = pair if dice.random() < 0.7 else pair[::-1]
        return f"{left} {operator} {right}"
    if shape == 4:
        other = random_text(dice, depth - 1)
        operator = dice.choice(("and", "or", "unless"))
        return f"({inner}) {operator}{dice.choice(('', ' on(zone)', ' ignoring(host)'))} ({other})"
    if shape == 5:
        other = dice.choice(("capacity", "capacity_limit", f"sum by (zone) ({inner})"))
        operator = dice.choice(("+", "-", "*", "/", ">", ">= bool"))
        return f"({inner}) {operator} on(zone) group_left ({other})"
    if shape == 6:
        # Of a plain selector only: of equal values Prometheus takes the one that its hash table
        # happens to give first, unless they come straight from storage.
        number, plain = dice.choice(("1", "2", "3")), random_text(dice, 0)
        return f"{dice.choice(('topk', 'bottomk'))}{dice.choice(_BY)} ({number}, {plain})"
    if shape == 7:
        chosen = dice.choice(("0.5", "0.9", "0", "1"))
        return dice.choice(
            (
                f"quantile{dice.choice(_BY)} ({chosen}, {inner})",
                f"quantile_over_time({chosen}, {_range(dice, inner)})",
                f"predict_linear({_range(dice, inner, moves=('', ' offset 4m'))}, 600)",
                f"clamp({inner}, -2, 50)",
            )
        )
    return f"-({inner})" if dice.random() < 0.5 else f"absent({inner})"


def _range(dice: random.Random, inner: str, moves: tuple[str, ...] = _MOVES) -> str:
    if dice.random() < 0.6:
        return f"{dice.choice(_VECTORS)}[{dice.choice(_SPANS)}]{dice.choice(moves)}"
    step = dice.choice(("", "30s", "1m", "77s"))
    return f"({inner})[{dice.choice(_SPANS)}:{step}]{dice.choice(moves)}"
