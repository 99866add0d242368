"""What is told of a trail."""

from __future__ import annotations

from collections.abc import Sequence

from ..source import SourceLine
from .trail import Birth, Trail

MOST_ROWS = 5

HINTS = {
    "log": "the logarithm of 0 is -inf and that of a negative number NaN: add a small number, or use log_softmax, "
    "log_sigmoid or log1p, which need none",
    "divide": "something is divided by 0: add a small number to the divisor, or choose with cr.where",
    "exp": "exp overflows above 88 in float32 and 709 in float64: subtract the largest element first, or use softmax, "
    "logsumexp or expm1",
    "sqrt": "the square root of a negative number is NaN, and its derivative at 0 is infinite: clip, or add a small "
    "number",
    "rsqrt": "1/√0 is infinite: add a small number",
    "power": "a negative number to the power of a fraction is NaN, and 0 to a negative power infinite",
}
GROWN = "the numbers have grown too large: a smaller learning rate, clip_norm=1.0, or scaled inputs keep them small"


def told(trail: Trail, batch: int | None = None, rows: Sequence[int] | None = None) -> str:
    """The whole message but for the file. batch: how many examples; rows: which ones of the data set they are."""
    first = trail.births[0]
    lines = [f"{_capital(trail.noticed)} is not finite. {_headline(first)}"]
    for number, birth in enumerate(trail.births):
        if number:
            lines.append(f"which then becomes {birth.what} in {_operation(birth)}")
        lines += [f"    {line}" for line in (*birth.operands, birth.result)]
    example = next((found for birth in trail.births if (found := _examples(birth, batch, rows))), "")
    if example:
        lines.append(example)
    if hint := _hint(first):
        lines.append(f"Hint: {hint}")
    return "\n".join(lines)


def _headline(birth: Birth) -> str:
    if not birth.operation:
        since = "" if birth.result.name.startswith("argument") else " already before the step"
        return f"{_capital(birth.result.name)} holds {birth.what}{since}"
    return f"The first cause is {birth.what} in {_operation(birth)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _operation(birth: Birth) -> str:
    """The operation and its line; of a derivative the line that it derives, which is the one people know."""
    if not birth.operation:
        return birth.result.name
    where = f", in {birth.inside}" if birth.inside else ""
    where += f", behind the weights of layer {birth.layer}" if birth.layer else ""
    if birth.derives is None:
        return f"{birth.operation}{where}{_at(birth.source)}"
    name, source = birth.derives
    return f"{birth.operation}, in the derivative of {name}{where}{_at(source or birth.source)}"


def _at(source: SourceLine | None) -> str:
    return f"\n  at {source}" if source else ""


def _examples(birth: Birth, batch: int | None, rows: Sequence[int] | None) -> str:
    """Which examples it comes from, if the result has a row for each of them."""
    first, length = birth.part or (0, batch)
    if batch is None or _first_axis(birth.result.kind) != length or not birth.rows:
        return ""
    chosen = [first + row for row in birth.rows[:MOST_ROWS]]
    more = f" and {len(birth.rows) - MOST_ROWS} more" if len(birth.rows) > MOST_ROWS else ""
    text = f"{'Row' if len(birth.rows) == 1 else 'Rows'} {', '.join(map(str, chosen))}{more} of the batch"
    if rows is not None:
        named = ", ".join(str(int(rows[row])) for row in chosen)
        text += f": {'example' if len(birth.rows) == 1 else 'examples'} {named}{more} of the data, counted from 0"
    return text


def _first_axis(kind: str) -> int | None:
    shape = kind.partition("[")[2].rstrip("]")
    return int(shape.split(",")[0]) if shape else None


def _hint(birth: Birth) -> str:
    if not birth.operation:
        return ""
    name = birth.derives[0] if birth.derives and birth.derives[0] in HINTS else birth.operation
    if name in HINTS:
        return HINTS[name]
    return GROWN if birth.what == "an infinity" else ""
