"""What every definition of a signal must say, and that what it says is true of random histories.

`of` is read by a small grammar: `<thing> [with <columns>] [that <free words>]`. A rich history is cut down to so many
of the thing, everything else kept: below `least` the signal must be missing, and with `least` some history must carry
it, unless free words narrow the thing further.
"""

import importlib
import importlib.util
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from features import coordination
from features.histories import Histories, make_histories
from features.registry import INVARIANCES, Signal
from features.signals import SIGNALS, compute_signals
from features.tables import Tables, check_tables

FAMILIES = tuple(dict.fromkeys(signal.family for signal in SIGNALS.values()))
OWN = {name: signal for name, signal in SIGNALS.items() if signal.scope == "creator"}
EVENTS = {"posts": "posts", "days": "snapshots", "comments": "comments", "accounts": "audience"}


def _module(family: str) -> ModuleType:
    return importlib.import_module(f"features.{family}")


def _histories(tables: Tables, as_of: pd.Timestamp) -> Histories:
    return make_histories(tables, as_of, imported_at=as_of)


def _signals(tables: Tables, as_of: pd.Timestamp) -> pd.DataFrame:
    """Signals of the creators, those of the crowd among themselves included."""
    histories = _histories(tables, as_of)
    return compute_signals(histories, coordination.make_crowd([coordination.sketch_comments(histories)]))


# ---- what `of` counts

#: Words of `of` for columns that have another name; every other word is a column's name, in singular or plural.
COLUMNS = {
    "captions": "caption",
    "kinds": "kind",
    "sponsors": "sponsor",
    "sponsorship": "is_sponsored",
    "posts": "posts_count",
    "bios": "bio",
}
OF = re.compile(
    r"(?P<thing>recent posts|commented posts|posts|snapshots|steps|comments|authors|profiles|creators"
    r"|sampled (?:accounts|followers|likers|commenters))"
    r"(?: with (?P<columns>.+?))?"
    r"(?P<free>,? (?:that|whose|who|which|of|after|in|by|and as many)\b.*)?"
)
RECENT = 30


class Counted(NamedTuple):
    """What a signal's `least` counts."""

    thing: str
    columns: tuple[str, ...]
    narrowed: bool


def _column(word: str, thing: str) -> str:
    if word in ("views", "view") and thing in ("snapshots", "steps"):
        return "total_views"
    plural = {singular: word for word in COLUMNS for singular in (word, word.removesuffix("s"))}
    return COLUMNS.get(plural.get(word, word), word.replace(" ", "_"))


def _counted(signal: Signal) -> Counted:
    found = OF.fullmatch(signal.of)
    assert found, f"{signal.name}: cannot read of = {signal.of!r}"
    words = re.split(r", | and ", found["columns"]) if found["columns"] else []
    thing = found["thing"]
    return Counted(thing, tuple(_column(word, thing) for word in words), found["free"] is not None)


def _blank(frame: pd.DataFrame, kept: np.ndarray, columns: tuple[str, ...], *, decoys: bool = True) -> pd.DataFrame:
    """`frame` with `columns` known together in the rows of `kept` only, every other row knowing one of several."""
    frame = frame.copy()
    turn = np.arange(len(frame)) % max(len(columns), 1)
    for position, column in enumerate(columns):
        lost = ~kept & ~(decoys & (len(columns) > 1) & (turn == position))
        frame[column] = frame[column].mask(lost)
    return frame


def _spread(rng: np.random.Generator, count: int, kept: int) -> np.ndarray:
    """Mask of `kept` of `count` rows, chosen at random or in a row."""
    mask = np.zeros(count, dtype=bool)
    kept = min(kept, count)
    if rng.random() < 0.5:
        mask[rng.choice(count, kept, replace=False)] = True
    else:
        first = int(rng.integers(0, count - kept + 1))
        mask[first : first + kept] = True
    return mask


def _cut_rows(rng: np.random.Generator, rows: pd.DataFrame, counted: Counted, count: int) -> pd.DataFrame:
    kept = _spread(rng, len(rows), count)
    return _blank(rows, kept, counted.columns) if counted.columns else rows[kept]


def _cut_recent(rng: np.random.Generator, posts: pd.DataFrame, counted: Counted, count: int) -> pd.DataFrame:
    ordered = posts.sort_values("published_at")
    old, recent = ordered.iloc[:-RECENT], ordered.iloc[-RECENT:]
    assert counted.columns, "recent posts are counted with a column"
    return pd.concat([old, _cut_rows(rng, recent, counted, count)])


def _cut_steps(rng: np.random.Generator, snapshots: pd.DataFrame, counted: Counted, count: int) -> pd.DataFrame:
    """Keeps `count` steps in a row, in the middle or anywhere; around them no two neighbours carry the columns."""
    rows, spare = np.arange(len(snapshots)), len(snapshots) - count - 1
    first = spare // 2 + int(rng.integers(0, 2)) if rng.random() < 0.3 else int(rng.integers(0, spare + 1))
    within = (rows >= first) & (rows <= first + count) & (count > 0)
    if not counted.columns:
        return snapshots[(rows >= first) & (rows <= first + count)]
    if len(counted.columns) > 1:
        return _blank(snapshots, within, counted.columns)
    alone = ((rows < first - 1) | (rows > first + count + 1)) & (rows % 2 == 0)
    return _blank(snapshots, within | alone, counted.columns)


def _cut_authors(rng: np.random.Generator, comments: pd.DataFrame, _: Counted, count: int) -> pd.DataFrame:
    authors = comments["author_id"].unique()
    return comments[comments["author_id"].isin(authors[_spread(rng, len(authors), count)])]


def _cut_commented(rng: np.random.Generator, comments: pd.DataFrame, _: Counted, count: int) -> pd.DataFrame:
    posts = comments["post_id"].unique()
    return comments[comments["post_id"].isin(posts[_spread(rng, len(posts), count)])]


def _cut_sampled(rng: np.random.Generator, audience: pd.DataFrame, counted: Counted, count: int) -> pd.DataFrame:
    relation = counted.thing.removeprefix("sampled ").removesuffix("s")
    meant = (audience["relation"] == relation) | (relation == "account")
    return pd.concat([audience[~meant], _cut_rows(rng, audience[meant], counted, count)])


#: Thing → the table that holds it, and how rows of one creator are cut down to some of it.
CUTS: dict[str, tuple[str, Callable[[np.random.Generator, pd.DataFrame, Counted, int], pd.DataFrame]]] = {
    "posts": ("posts", _cut_rows),
    "recent posts": ("posts", _cut_recent),
    "snapshots": ("snapshots", _cut_rows),
    "steps": ("snapshots", _cut_steps),
    "comments": ("comments", _cut_rows),
    "commented posts": ("comments", _cut_commented),
    "authors": ("comments", _cut_authors),
    **dict.fromkeys(
        ("sampled accounts", "sampled followers", "sampled likers", "sampled commenters"), ("audience", _cut_sampled)
    ),
}


def _cut(tables: Tables, counted: Counted, count: int, seed: int = 0) -> Tables:
    """Every creator's history with `count` of what is counted."""
    if counted.thing == "profiles":
        assert count == 0
        blanked = {
            name: tables[name].assign(
                **{column: tables[name][column].mask(np.ones(len(tables[name]), dtype=bool)) for column in known}
            )
            for name in ("creators", "snapshots")
            if (known := [column for column in counted.columns[:1] if column in tables[name]])
        }
        return check_tables(tables | blanked)
    name, cut = CUTS[counted.thing]
    rng = np.random.default_rng([count, seed])
    rows = [cut(rng, frame, counted, count) for _, frame in tables[name].groupby("creator_id")]
    return check_tables(tables | {name: pd.concat(rows)})


CASES: dict[tuple[str, int], list[str]] = defaultdict(list)
for _signal in OWN.values():
    CASES[_signal.of, _signal.least].append(_signal.name)


@pytest.fixture(scope="module")
def rich(rich_tables: Tables, as_of: pd.Timestamp) -> pd.DataFrame:
    return _signals(rich_tables, as_of)


def test_a_rich_history_carries_every_signal(rich: pd.DataFrame) -> None:
    known = rich.notna().mean()
    assert known[known < 0.5].index.tolist() == []


def test_an_empty_history_carries_none(creators_of: Callable, posts_of: Callable, as_of: pd.Timestamp) -> None:
    """Neither of a creator of whom nothing is known, nor among others, nor without anybody."""
    posts = posts_of("a", []).assign(creator_id=pd.Series(dtype="str"))
    alone = _signals(check_tables({"creators": creators_of({"a": None}), "posts": posts}), as_of)
    assert alone.columns[alone.notna().any()].tolist() == []
    assert alone.shape == (1, len(SIGNALS))
    beside = check_tables({"creators": creators_of({"a": None, "b": 5}), "posts": posts_of("b", [3] * 9)})
    assert _signals(beside, as_of).loc["a"].isna().all()


def test_without_a_crowd_its_signals_are_missing(rich_tables: Tables, as_of: pd.Timestamp) -> None:
    frame = compute_signals(_histories(rich_tables, as_of))
    assert frame[[name for name in SIGNALS if name not in OWN]].isna().all(axis=None)


@pytest.mark.parametrize(("of", "least"), CASES)
def test_below_its_coverage_a_signal_is_missing(rich_tables: Tables, as_of: pd.Timestamp, of: str, least: int) -> None:
    names = CASES[of, least]
    counted = _counted(SIGNALS[names[0]])
    for count in {0, least - 1}:
        known = _signals(_cut(rich_tables, counted, count), as_of)[names].notna().any()
        assert known[known].index.tolist() == [], f"known with {count} {of}"


@pytest.mark.parametrize(("of", "least"), CASES)
def test_with_its_coverage_a_signal_may_be_there(rich_tables: Tables, as_of: pd.Timestamp, of: str, least: int) -> None:
    names = CASES[of, least]
    counted = _counted(SIGNALS[names[0]])
    if counted.narrowed or counted.thing == "profiles":
        pytest.skip("narrowed by free words, or nothing to cut")
    missing = set(names)
    for seed in range(4):
        known = _signals(_cut(rich_tables, counted, least, seed), as_of)[names].notna().any()
        missing -= set(known.index[known])
        if not missing:
            return
    pytest.fail(f"missing with {least} {of}: {sorted(missing)}")


# ---- invariances


def _scaled(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return frame.assign(**{column: frame[column] * 3 for column in columns})


def _dealt(posts: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Counts dealt anew within each creator, all counts of a post together."""
    counts = ["likes", "comments", "views", "shares", "saves"]
    order = np.lexsort((rng.random(len(posts)), posts["creator_id"]))
    places = np.lexsort((np.arange(len(posts)), posts["creator_id"]))
    dealt = posts.copy()
    dealt.iloc[places, [posts.columns.get_loc(name) for name in counts]] = posts[counts].iloc[order].to_numpy(object)
    return dealt


def _moved(tables: Tables) -> Tables:
    weeks = pd.Timedelta("21D")
    return {
        name: frame.assign(
            **{column: frame[column] + weeks for column in frame if frame[column].dtype == "datetime64[us, UTC]"}
        )
        for name, frame in tables.items()
    }


def _some(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return frame[rng.random(len(frame)) < 0.5]


def _renamed(comments: pd.DataFrame, ids: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    """Strangers given other ids, in another order; creators who comment keep theirs."""
    strangers = comments.loc[~comments["author_id"].isin(ids), "author_id"].unique()
    names = dict(zip(strangers, (f"n{number}" for number in rng.permutation(len(strangers))), strict=True))
    return comments.assign(author_id=comments["author_id"].replace(names))


def _all_blank(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.assign(**{column: frame[column].mask(np.ones(len(frame), dtype=bool))})


#: What `features.registry.INVARIANCES` says in words.
CHANGES: dict[str, list[Callable[[Tables, np.random.Generator], Tables]]] = {
    "counts_scale": [
        lambda tables, _: {
            "posts": _scaled(tables["posts"], "likes", "comments", "views", "shares", "saves"),
            "creators": _scaled(tables["creators"], "followers"),
            "snapshots": _scaled(tables["snapshots"], "followers", "total_views"),
        }
    ],
    "likes_scale": [lambda tables, _: {"posts": _scaled(tables["posts"], "likes")}],
    "time_shift": [lambda tables, _: _moved(tables)],
    "post_order": [lambda tables, rng: {"posts": _dealt(tables["posts"], rng)}],
    **{
        name: [
            lambda tables, rng, name=name: {name: _some(tables[name], rng)},
            lambda tables, _, name=name: {name: tables[name].head(0)},
        ]
        for name in ("snapshots", "posts", "comments")
    },
    "captions": [
        lambda tables, rng: {
            "posts": tables["posts"].assign(
                caption=tables["posts"]["caption"].mask(rng.random(len(tables["posts"])) < 0.5)
            )
        },
        lambda tables, _: {"posts": _all_blank(tables["posts"], "caption")},
    ],
    "authors_renamed": [
        lambda tables, rng: {"comments": _renamed(tables["comments"], tables["creators"]["creator_id"], rng)}
    ],
}


@pytest.fixture(scope="module", params=["rich", "uneven"])
def few(request: pytest.FixtureRequest, rich_tables: Tables, random_tables: Tables) -> Tables:
    """Some creators, every signal known, or counts missing here and there."""
    tables = {"rich": rich_tables, "uneven": random_tables}[request.param]
    ids = tables["creators"]["creator_id"].iloc[:12]
    if request.param == "rich":
        return {name: frame[frame["creator_id"].isin(ids)] for name, frame in tables.items()}
    # one observation a post: dealt counts would otherwise meet the earlier ones
    posts = tables["posts"].sort_values("observed_at").drop_duplicates(["creator_id", "post_id"], keep="last")
    ripe = posts["observed_at"] - posts["published_at"] > pd.Timedelta("2D")
    return {name: frame[frame["creator_id"].isin(ids)] for name, frame in (tables | {"posts": posts[ripe]}).items()}


@pytest.fixture(scope="module")
def before(few: Tables, as_of: pd.Timestamp) -> pd.DataFrame:
    return _signals(few, as_of)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("invariance", INVARIANCES)
def test_signals_are_invariant_as_they_claim(
    few: Tables, before: pd.DataFrame, as_of: pd.Timestamp, invariance: str, seed: int
) -> None:
    names = [name for name, signal in SIGNALS.items() if invariance in signal.invariant]
    assert before[names].notna().any(axis=None)
    moment = as_of + pd.Timedelta("21D") if invariance == "time_shift" else as_of
    for change in CHANGES[invariance]:
        after = _signals(check_tables(few | change(few, np.random.default_rng(seed))), moment)
        same = np.isclose(after[names], before[names], rtol=1e-7, atol=1e-9, equal_nan=True).all(axis=0)
        assert [name for name, kept in zip(names, same, strict=True) if not kept] == []


def test_every_invariance_is_tested() -> None:
    assert set(CHANGES) == set(INVARIANCES)


@pytest.mark.parametrize("invariance", sorted(set(INVARIANCES) - {"time_shift", "authors_renamed"}))
def test_a_change_moves_the_signals_that_do_not_claim_it(
    few: Tables, before: pd.DataFrame, as_of: pd.Timestamp, invariance: str
) -> None:
    """A change that moves no signal at all would prove nothing of those that claim it."""
    others = [name for name, signal in SIGNALS.items() if invariance not in signal.invariant]
    for change in CHANGES[invariance]:
        after = _signals(check_tables(few | change(few, np.random.default_rng(0))), as_of)
        assert not np.allclose(after[others], before[others], rtol=1e-7, atol=1e-9, equal_nan=True)


# ---- words and pointers


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda signal: signal.name)
def test_every_signal_is_described(signal: Signal) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+_(30p|128p|28d|90d|all)", signal.name)
    assert signal.family in FAMILIES
    assert signal.direction in ("high", "low", "none")
    assert signal.scope in ("creator", "crowd")
    assert (signal.scope == "creator") or signal.family == "coordination"
    for text in (signal.unit, signal.formula, signal.of, signal.source, signal.english, signal.vietnamese):
        assert text.strip() == text != ""
    assert isinstance(signal.least, int)
    assert signal.least >= 1
    assert set(signal.invariant) <= set(INVARIANCES)
    assert len(set(signal.invariant)) == len(signal.invariant)
    assert signal.words("en") == signal.english != signal.vietnamese == signal.words("vi")
    assert "bought" not in signal.english + signal.vietnamese
    counted = _counted(signal)
    assert counted.thing in CUTS or counted.thing == "profiles" or signal.scope == "crowd"


def test_names_and_words_are_unique() -> None:
    assert len(SIGNALS) == sum(len(_module(family).SIGNALS) for family in FAMILIES)
    for words in ("english", "vietnamese"):
        texts = [getattr(signal, words) for signal in SIGNALS.values()]
        assert sorted({text for text in texts if texts.count(text) > 1}) == []


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda signal: signal.name)
def test_vietnamese_words_are_vietnamese(signal: Signal) -> None:
    """With the letters of the language, so that no entry stays in English or loses its diacritics."""
    assert re.search("[ạảãàáâậầấẩẫăắằặẳẵđèéẹẻẽêềếểễệìíịỉĩòóọỏõôồốổỗộơờớợởỡùúụủũưừứựửữỳýỵỷỹ]", signal.vietnamese.lower())


@pytest.mark.parametrize("family", FAMILIES)
def test_pointers_are_rows_of_events(family: str, few: Tables, as_of: pd.Timestamp) -> None:
    pointed = {signal.points_at for signal in _module(family).SIGNALS if signal.points_at}
    if not pointed:
        return
    histories = _histories(few, as_of)
    pointers = getattr(_module(family), f"{family}_pointers")(histories)
    for place in pointed:
        events, _, pointer = place.partition(":")
        rows = getattr(histories, EVENTS[events]).offsets[-1]
        assert pointer in pointers, place
        assert pointers[pointer].shape == (rows,)
        assert pointers[pointer].dtype == np.float64
        assert not np.isinf(pointers[pointer]).any()


# ---- tests of the values


def _hand_cases() -> set[str]:
    """Names in the tables `HAND` of the tests of every family."""
    names: set[str] = set()
    here = Path(__file__).parent
    for family in FAMILIES:
        for path in sorted(here.glob(f"test_{family}*.py")):
            spec = importlib.util.spec_from_file_location(f"hand_{path.stem}", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            names |= set(getattr(module, "HAND", {}))
    return names


def test_every_signal_has_a_value_computed_by_hand() -> None:
    assert sorted(set(SIGNALS) - _hand_cases()) == []


def test_there_are_at_least_120_signals() -> None:
    assert len(SIGNALS) >= 120
