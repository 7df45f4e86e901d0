"""Small tasks with one right answer: copying, editing, sorting, spelling, successors of letters, days and months.

They teach the base to read a prompt and to answer exactly. Numbers are copied, spelled and compared, never counted:
what comes after one is nowhere to be learned (`corpus.py` drops every document in which numbers follow in order).
"""

from __future__ import annotations

import random
from collections.abc import Callable

from scripts.base.numbers import WORDS as NUMBER_WORDS
from scripts.base.numbers import in_words

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
ORDERS: tuple[tuple[str, ...], ...] = tuple(
    tuple(order.split())
    for order in (
        "monday tuesday wednesday thursday friday saturday sunday",
        "january february march april may june july august september october november december",
        "a b c d e f g h i j k l m n o p q r s t u v w x y z",
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi "
        "chi psi omega",
        "alfa bravo charlie dodo echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec romeo "
        "sierra tango uniform victor whiskey xray yankee zulu",
        "red orange yellow green blue indigo violet",
        "spring summer autumn winter",
        "mercury venus earth mars jupiter saturn uranus neptune",
        "do re mi fa sol la ti",
        "aries taurus gemini cancer leo virgo libra scorpio sagittarius capricorn aquarius pisces",
        "pawn knight bishop rook queen king",
        "hydrogen helium lithium beryllium boron carbon nitrogen oxygen fluorine neon sodium magnesium aluminium "
        "silicon",
        "duke marquess earl viscount baron knight squire",
        "private corporal sergeant lieutenant captain major colonel general",
    )
)
_WORDS = (
    "apple river stone green window paper garden light music table winter orange copper silver bridge castle dragon "
    "engine forest guitar hammer island jacket kettle ladder market needle office pencil rabbit saddle ticket valley "
    "wallet yellow zipper anchor basket candle desert eagle finger glove honey ink jelly kite lemon mirror north "
    "ocean piano quiet rocket sugar tiger umbrella violin whale fox box cat dog sun moon star tree leaf root seed "
    "data file line name value list text code test error index table node path user time point house water fire earth "
    "wind blue red black white fast slow hot cold new old big small long short open close left right high low"
)
WORDS = tuple(_WORDS.split())
PAIRS = (
    "hot cold,big small,fast slow,new old,open close,left right,high low,long short,up down,day night,good bad,"
    "early late,hard soft,rich poor,light dark,wet dry,full empty,true false,start end,first last,in out,yes no"
)


def _item(r: random.Random) -> str:
    kind = r.random()
    if kind < 0.22:
        return in_words(r.randrange(1000))
    if kind < 0.40:
        return str(r.randrange(r.choice((10, 100, 1000, 10000))))
    if kind < 0.50:
        return "".join(r.choice(LETTERS) for _ in range(r.randint(1, 6)))
    if kind < 0.62:
        return r.choice(r.choice(ORDERS))
    return r.choice(WORDS)


def _items(r: random.Random, low: int = 2, high: int = 6) -> list[str]:
    return [_item(r) for _ in range(r.randint(low, high))]


def _words(r: random.Random, low: int = 2, high: int = 6) -> list[str]:
    return [r.choice(WORDS) for _ in range(r.randint(low, high))]


def copy(r: random.Random) -> tuple[str, str]:
    text = " ".join(_items(r, 1, 4))
    asked = ("Repeat: ", "Copy this text: ", "Say again\n")
    # A number that stands alone is not copied unasked: what to make of it is left for tuning to teach.
    alone = all(word in NUMBER_WORDS or word == "hundred" or word.isdigit() for word in text.split())
    return r.choice(asked if alone else ("", "", *asked)) + text, text


def odometer(r: random.Random) -> tuple[str, str]:
    """The last of several places steps on; where it is at its end it starts again and the place before it steps on."""
    places = [r.choice(ORDERS) for _ in range(r.choice((1, 2, 2, 2, 3, 3)))]
    if r.random() < 0.3:
        places = [places[0]] * len(places)
    at = [r.randrange(len(order)) for order in places]
    if r.random() < 0.25:
        at[-1] = len(places[-1]) - 1
    after = list(at)
    for place in reversed(range(len(places))):
        after[place] = (at[place] + 1) % len(places[place])
        if after[place]:
            break
    # A filler word between the places, as in "three hundred two", has to be copied.
    fill = r.choice(("", "", f"{r.choice(WORDS)} "))
    join = r.choice((" ", " ", " ", "-", "/", ", "))
    show = [join.join(fill * (i > 0) + places[i][p] for i, p in enumerate(s)) for s in (at, after)]
    return r.choice(("", "", "", "Next: ", "What comes next?\n", "Step on: ")) + show[0], show[1]


def before(r: random.Random) -> tuple[str, str]:
    order = r.choice(ORDERS)
    at = r.randrange(1, len(order))
    return f"{r.choice(('Before: ', 'What comes before this?', 'Previous: '))}{order[at]}", order[at - 1]


def after_in_list(r: random.Random) -> tuple[str, str]:
    items = r.sample(WORDS, r.randint(3, 7))
    at = r.randrange(len(items) - 1)
    return f"In {', '.join(items)}: what follows {items[at]}?", items[at + 1]


def edit(r: random.Random) -> tuple[str, str]:
    items = _items(r, 3, 6)
    text, at = " ".join(items), r.randrange(len(items))
    new = _item(r)
    changed = [*items[:at], new, *items[at + 1 :]]
    return r.choice(
        (
            (f"Replace {items[at]} with {new}: {text}", text.replace(items[at], new)),
            (f"Change the last to {new}: {text}", " ".join([*items[:-1], new])),
            (f"Add {new} at the end: {text}", f"{text} {new}"),
            (f"Add {new} in front: {text}", f"{new} {text}"),
            (f"Put {new} in place {LETTERS[at]}: {text}", " ".join(changed)),
            (f"Drop the last: {text}", " ".join(items[:-1])),
            (f"Drop the first: {text}", " ".join(items[1:])),
        )
    )


def pick(r: random.Random) -> tuple[str, str]:
    items = _items(r, 2, 6)
    text = " | ".join(items)
    return r.choice(
        (
            (f"First: {text}", items[0]),
            (f"Last: {text}", items[-1]),
            (f"Longest: {text}", max(items, key=len)),
            (f"Reverse: {text}", " | ".join(reversed(items))),
            (f"Swap ends: {text}", " | ".join([items[-1], *items[1:-1], items[0]])),
            (f"As list: {text}", "[" + ", ".join(repr(item) for item in items) + "]"),
            (f"As lines: {text}", "\n".join(items)),
            (f"Without repeats: {text} | {items[0]}", " | ".join(dict.fromkeys(items))),
        )
    )


def case(r: random.Random) -> tuple[str, str]:
    words = _words(r, 1, 5)
    text = " ".join(words)
    return r.choice(
        (
            (f"Upper case: {text}", text.upper()),
            (f"Lower case: {text.upper()}", text),
            (f"Title case: {text}", text.title()),
            (f"Snake case: {text}", "_".join(words)),
            (f"Camel case: {text}", words[0] + "".join(word.title() for word in words[1:])),
            (f"Spaces: {'_'.join(words)}", text),
            (f"Spell: {words[0]}", " ".join(words[0])),
            (f"Join: {' '.join(words[0])}", words[0]),
            (f"Initials: {text}", "".join(word[0] for word in words)),
            (f"Sort: {text}", " ".join(sorted(words))),
        )
    )


def look_up(r: random.Random) -> tuple[str, str]:
    keys = r.sample(WORDS, r.randint(2, 5))
    values = [_item(r) for _ in keys]
    at = r.randrange(len(keys))
    form, join = r.choice((("{}={}", ", "), ("{}: {}", "\n"), ("{} is {}", "; ")))
    facts = join.join(form.format(key, value) for key, value in zip(keys, values, strict=True))
    return r.choice(
        (
            (f"{facts}\nWhat is {keys[at]}?", values[at]),
            (f"{facts}\nWhich is {values[at]}?", keys[values.index(values[at])]),
        )
    )


def opposite(r: random.Random) -> tuple[str, str]:
    pair = r.choice(PAIRS.split(",")).split()
    r.shuffle(pair)
    return f"{r.choice(('Opposite of', 'The contrary of', 'Opposite:'))} {pair[0]}", pair[1]


def code(r: random.Random) -> tuple[str, str]:
    name, argument, other = r.sample(WORDS, 3)
    value = repr(_item(r))
    body = r.choice(
        (
            f"return {argument}.{other}",
            f"if {argument} is None:\n    return {value}\nreturn {argument}",
            f"for {other} in {argument}:\n    yield {other}",
            f"self.{argument} = {argument}",
            f"return [{other} for {other} in {argument} if {other}]",
            f"if not isinstance({argument}, str):\n    raise TypeError({value})",
            f"with open({argument}) as {other}:\n    return {other}.read()",
            f"try:\n    return {argument}[{value}]\nexcept KeyError:\n    return None",
        )
    )
    indented = body.replace("\n", "\n    ")
    return r.choice(
        (
            (f"Indent:\n{body}", f"    {indented}"),
            (f"Make a function {name}:\n{body}", f"def {name}({argument}):\n    {indented}"),
            (f"Rename {argument} to {name}:\n{body}", body.replace(argument, name)),
            (f"Body of:\ndef {name}({argument}):\n    {indented}", body),
        )
    )


def numeral(r: random.Random) -> tuple[str, str]:
    """The same number in words and in digits."""
    number = r.randrange(1000)
    words, digits = in_words(number), str(number)
    return r.choice(
        (
            (f"In words: {digits}", words),
            (f"Write out {digits}", words),
            (f"In digits: {words}", digits),
            (f"{words} as a number", digits),
        )
    )


def compare(r: random.Random) -> tuple[str, str]:
    """Which number is the larger or the smaller: how numbers lie, with nothing of what comes next."""
    top = r.choice((10, 20, 100, 1000))
    numbers = r.sample(range(top), r.randint(2, 4))
    show = in_words if r.random() < 0.6 else str
    text = " | ".join(show(number) for number in numbers)
    return r.choice(
        (
            (f"Larger: {text}", show(max(numbers))),
            (f"Smaller: {text}", show(min(numbers))),
            (f"Down: {text}", " | ".join(show(number) for number in sorted(numbers, reverse=True))),
        )
    )


TASKS: tuple[tuple[Callable[[random.Random], tuple[str, str]], float], ...] = (
    (copy, 0.16),
    (odometer, 0.30),
    (before, 0.03),
    (after_in_list, 0.04),
    (edit, 0.12),
    (pick, 0.10),
    (case, 0.10),
    (look_up, 0.08),
    (opposite, 0.02),
    (code, 0.05),
    (numeral, 0.05),
    (compare, 0.07),
)


def draw(r: random.Random) -> tuple[str, str]:
    """A prompt and its one right response."""
    task = r.choices([task for task, _ in TASKS], [weight for _, weight in TASKS])[0]
    return task(r)
