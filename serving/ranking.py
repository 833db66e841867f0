"""Ranking: a brief, the creators it asks for, in order of fit × authenticity, with the reasons in words.

In two stages: the creators that write most like the brief, then those by everything else that is known of the pair.
Neither stage's fit reads authenticity, so raising it never lowers a creator's place.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from features.brief_text import read_brief_text
from features.fit import Floats
from features.match import Wanted, columns_read, match_signals, met
from features.profiles import BriefVector
from features.reading import Read
from features.terms import shared_words, words_of
from serving.briefs import Brief, say_read, topic_of, with_text
from serving.catalogue import Catalogue, Filters
from serving.reasons import DOUBTED, REASON_SEPARATOR, Grounds, reasons
from serving.shown import Pieces, Shown
from serving.words import N_, Language, Words, words_for
from training.fit_model import FitModel

#: Creators that the second stage looks at, and times the creators wanted where that is more.
RETRIEVED, RETRIEVED_FOR_EACH = 1_000, 2
#: Sentences of a creator, those written last, among which the closest to the brief is looked for; its least likeness,
#: its least words, and the characters of it that are shown. Then the same of hashtags.
_LEAST_LIKENESS, _LEAST_TAG_LIKENESS, _TAGS_SHOWN = 0.4, 0.5, 3

RANKED_COLUMNS = (
    "rank",
    "creator_id",
    "platform",
    "handle",
    "display_name",
    "followers",
    "tier",
    "niche",
    "country",
    "language",
    "authenticity",
    "authenticity_low",
    "authenticity_high",
    "authenticity_assessed",
    "fit",
    "score",
    "reason",
    "reasons",
    "matched_words",
    "as_of",
    "model_name",
    "model_version",
    "model_data",
)

#: What the fit comes from where no fit model was trained.
PRIOR = "prior"
#: Why a brief cannot be compared; empty where it can.
Missing = Literal["", "empty_brief", "unknown_words", "nothing_written"]
_MISSING_WORDS: dict[Missing, str] = {
    "": "",
    "empty_brief": N_("the brief has no words to compare: ranked by authenticity alone"),
    "unknown_words": N_("nothing of the brief can be compared with what creators write: ranked by authenticity alone"),
    "nothing_written": N_("nothing that can be compared is written there: ranked by authenticity alone"),
}
#: Best fit up to which a brief that names no niche may as well be nonsense: twenty real briefs reached .45 to .79 over
#: the real creators of training/briefs.toml's benchmark, invented words and a bare brand name .24 to .48.
WEAK_FIT = 0.5
#: Least part of what a creator writes that makes a niche of the brief a reason.
_NICHE_PART = 0.25
_NICHES_SHOWN = 3
#: A filter by its field, in words.
_FILTER_WORDS = {
    "platforms": N_("platform"),
    "tiers": N_("tier"),
    "niches": N_("niche"),
    "countries": N_("country"),
    "languages": N_("language"),
    "followers_min": N_("least followers"),
    "followers_max": N_("most followers"),
    "min_authenticity": N_("minimum authenticity"),
    "last_post_within": N_("last post"),
}


@dataclass(frozen=True)
class Reading:
    """A brief as it was read.

    Attributes
    ----------
    brief : Brief
        With the filters that its words ask for.
    wanted : Wanted
    found : tuple of Read
        What was read from the words and holds.
    topic : str
        Its words without those that are no topic.
    vector : BriefVector
    missing : {"", "empty_brief", "unknown_words", "nothing_written"}
        Why no fit can be told.
    """

    brief: Brief
    wanted: Wanted
    found: tuple[Read, ...]
    topic: str
    vector: BriefVector
    missing: Missing

    @property
    def niches(self) -> tuple[str, ...]:
        """Niches that were read, the strongest first."""
        return () if self.missing else self.vector.niches


def read(catalogue: Catalogue, brief: Brief, unread: Collection[str] = ()) -> Reading:
    """Read a brief for a catalogue.

    Parameters
    ----------
    unread : collection of str
        Fields that are not read from its words: whoever asks has seen a reading and does not mean it.
    """
    told = [one for one in read_brief_text(brief.text) if one.field not in unread]
    filled, wanted, found = with_text(brief, told)
    topic = topic_of(brief.text, told)
    vector = catalogue.profiles.read(topic, brief.niches)
    written = bool(words_of(topic) or brief.niches)
    missing: Missing = "" if written and vector.known else "unknown_words" if written else "empty_brief"
    return Reading(filled, wanted, found, topic, vector, missing)


@dataclass(frozen=True)
class Shortlist:
    """Creators ranked for a brief.

    Attributes
    ----------
    frame : DataFrame
        The first `k` creators, best first; columns `RANKED_COLUMNS`.
    candidates : int
        Creators that passed the filters.
    fit_missing : {"", "empty_brief", "unknown_words", "nothing_written"}
        Why no fit could be told; the order is then by authenticity alone and `fit` is NaN.
    niches : tuple of str
        Niches that were read from the brief, the strongest first.
    read : tuple of Read
        Filters and wishes that were read from the words of the brief and hold.
    passing : mapping of str to int
        Where nobody passes all filters: how many each lets through on its own.
    ranker : str
        What the fit comes from: "prior", or the version of the fit model.
    wanted : int
        Creators that were asked for.
    """

    frame: pd.DataFrame
    candidates: int
    fit_missing: Missing
    niches: tuple[str, ...] = ()
    read: tuple[Read, ...] = ()
    passing: Mapping[str, int] = field(default_factory=dict)
    ranker: str = PRIOR
    wanted: int = 20

    def note(self, language: Language = "en") -> str:
        """Say what was read from the brief, and why nobody is listed or there is no fit."""
        said = [self.say_fit(language), say_read(self.read, words_for(language))]
        return "; ".join(sentence for sentence in said if sentence)

    def say_fit(self, language: Language = "en") -> str:
        """Say which niches were read, and why nobody is listed or there is no fit."""
        words = words_for(language)
        if not self.candidates:
            alone = ", ".join(f"{words.say(_FILTER_WORDS[name])} {count:,}" for name, count in self.passing.items())
            if alone:
                return words.say(
                    N_("no creator of the catalogue passes the filters; alone each lets through: {alone}"), alone=alone
                )
            return words.say(N_("no creator of the catalogue passes the filters"))
        if self.fit_missing:
            return words.say(_MISSING_WORDS[self.fit_missing])
        if self.niches:
            named = ", ".join(words.niche(niche) for niche in self.niches[:_NICHES_SHOWN])
            return words.say(N_("niches of the brief: {niches}"), niches=named)
        if self.ranker == PRIOR and self.frame["fit"].max() < WEAK_FIT:
            return words.say(
                N_("the brief names no niche that is known here and no creator comes close: fit says little")
            )
        return ""


def order(fit: np.ndarray, authenticity: np.ndarray, k: int | None = None) -> np.ndarray:
    """Positions by fit × authenticity, highest first; equal products by authenticity, then by position.

    Monotone in both: raising a creator's fit or authenticity never lowers its place.

    Parameters
    ----------
    fit, authenticity : ndarray of float64, shape (n,)
        In [0, 1], no NaN.
    k : int, optional
        How many are wanted; all where left out. Only those that can be among them are sorted.
    """
    score = fit * authenticity
    rows = np.arange(len(score))
    if k is not None and k < len(score):
        rows = np.flatnonzero(score >= np.partition(score, len(score) - k)[len(score) - k])
    return rows[np.lexsort((rows, -authenticity[rows], -score[rows]))][:k]


@dataclass(frozen=True)
class Fitted:
    """How well some creators fit a brief.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        Their positions in the catalogue.
    fit : ndarray of float64, shape (n,)
        In [0, 1]; all NaN where the brief cannot be compared.
    matches : dict of str to ndarray of float64
        By the names of `features.match.WEIGHTS`.
    """

    rows: np.ndarray
    fit: Floats
    matches: dict[str, Floats]

    def take(self, places: np.ndarray) -> "Fitted":
        """Some of them, by their places."""
        return Fitted(self.rows[places], self.fit[places], {name: own[places] for name, own in self.matches.items()})


def fit_of(catalogue: Catalogue, reading: Reading, rows: np.ndarray, model: FitModel | None = None) -> Fitted:
    """Fit of some creators, by the fit model or, where there is none, by likeness × what the brief asks for is met."""
    texts = [catalogue.written[row] for row in rows]
    facts = catalogue.facts_of(rows, columns_read(reading.wanted))
    matches = match_signals(reading.wanted, facts, texts)
    if reading.missing:
        return Fitted(rows, np.full(len(rows), np.nan), matches)
    vectors = catalogue.profiles.vectors[rows]
    if model is None:
        likeness = catalogue.profiles.likeness(vectors, reading.vector.vector).astype(np.float64)
        return Fitted(rows, likeness * met(matches), matches)
    shares = catalogue.niche_shares.to_numpy()[rows]
    return Fitted(rows, model.fit(reading.vector, vectors, shares, matches), matches)


@dataclass(frozen=True)
class Ranking:
    """The first creators for a brief, without reasons.

    Attributes
    ----------
    fitted : Fitted
        The creators wanted, best first.
    score : ndarray of float64
        Fit × authenticity of each; the authenticity where no fit can be told.
    candidates : int
        Creators that passed the filters.
    """

    fitted: Fitted
    score: Floats
    candidates: int


def rank(catalogue: Catalogue, reading: Reading, model: FitModel | None = None) -> Ranking:
    """Filter, retrieve by likeness × authenticity, fit those that were retrieved, and order by fit × authenticity."""
    wanted = reading.brief.k
    candidates = np.flatnonzero(catalogue.mask(reading.brief))
    assumed = catalogue.assumed_authenticity
    if reading.missing:
        likeness = np.ones(len(candidates))
    else:
        likeness = catalogue.profiles.similarities(reading.vector)[candidates].astype(np.float64)
    first = order(likeness, assumed[candidates], max(RETRIEVED, RETRIEVED_FOR_EACH * wanted))
    fitted = fit_of(catalogue, reading, candidates[first], model)
    known = np.ones(len(first)) if reading.missing else fitted.fit
    authentic = assumed[fitted.rows]
    best = order(known, authentic, wanted)
    return Ranking(fitted.take(best), (known * authentic)[best], len(candidates))


def shortlist(
    catalogue: Catalogue, brief: Brief, language: Language = "en", model: FitModel | None = None
) -> Shortlist:
    """Rank the creators of a catalogue that a brief asks for; see `Shortlist`.

    `score` is fit × authenticity, with the `base_authenticity` of the model where `authenticity_assessed` is
    false; where no fit can be told, `fit` is NaN and `score` the authenticity.

    Parameters
    ----------
    language : {"en", "vi"}
        Language of the reasons.
    model : FitModel, optional
        What collaborations have taught; without it the prior ranks.
    """
    reading = read(catalogue, brief)
    found = rank(catalogue, reading, model)
    frame = ranked_frame(catalogue, reading, found.fitted, words_for(language), model)
    return Shortlist(
        frame.assign(score=found.score).loc[:, list(RANKED_COLUMNS)],
        found.candidates,
        reading.missing,
        reading.niches,
        reading.found,
        {} if found.candidates else catalogue.passing(reading.brief),
        PRIOR if model is None else model.version,
        reading.brief.k,
    )


def shortlist_of(
    catalogue: Catalogue, brief: Brief, rows: np.ndarray, language: Language = "en", model: FitModel | None = None
) -> Shortlist:
    """Hold some creators of a catalogue, by position, against a brief: all of them, in their order.

    What the brief asks for is a reason or a lack of the fit here, and filters nobody out.
    """
    reading = read(catalogue, brief)
    fitted = fit_of(catalogue, reading, rows, model)
    known = np.ones(len(rows)) if reading.missing else fitted.fit
    frame = ranked_frame(catalogue, reading, fitted, words_for(language), model)
    return Shortlist(
        frame.assign(score=known * catalogue.assumed_authenticity[rows]).loc[:, list(RANKED_COLUMNS)],
        len(rows),
        reading.missing,
        reading.niches,
        reading.found,
        {},
        PRIOR if model is None else model.version,
        len(rows),
    )


def lookalikes(
    catalogue: Catalogue,
    creator_ids: Sequence[str],
    filters: Filters | None = None,
    *,
    k: int = 20,
    language: Language = "en",
) -> Shortlist:
    """Creators who write about what some others write about, by likeness × authenticity; the others are left out.

    Parameters
    ----------
    catalogue : Catalogue
    creator_ids : sequence of str
        One or more, whose middle is looked for.
    filters : Filters, optional
        `min_authenticity` is `DOUBTED` where it is not said: whoever is like a good creator only in words is no help.
    k : int
        Creators wanted.
    language : {"en", "vi"}

    Raises
    ------
    KeyError
        Where the catalogue has no such creator.
    """
    rows = [catalogue.position(creator_id) for creator_id in creator_ids]
    filters = filters or Filters()
    if filters.min_authenticity is None:
        filters = filters.model_copy(update={"min_authenticity": DOUBTED})
    mask = catalogue.mask(filters)
    mask[rows] = False
    candidates = np.flatnonzero(mask)
    vector = catalogue.profiles.middle(rows)
    niches = _niches_of(catalogue, rows)
    middle = BriefVector(vector, niches, catalogue.niche_shares.iloc[rows].mean().to_numpy())
    missing: Missing = "" if middle.known else "nothing_written"
    reading = Reading(Brief(), Wanted(), (), "", middle, missing)
    likeness = catalogue.profiles.products(vector)[candidates].astype(np.float64)
    known = np.ones(len(candidates)) if missing else likeness
    assumed = catalogue.assumed_authenticity[candidates]
    first = order(known, assumed, k)
    fit = np.full(len(first), np.nan) if missing else likeness[first]
    fitted = Fitted(candidates[first], fit, fit_of(catalogue, reading, candidates[first]).matches)
    frame = ranked_frame(catalogue, reading, fitted, words_for(language)).assign(score=(known * assumed)[first])
    return Shortlist(frame.loc[:, list(RANKED_COLUMNS)], len(candidates), missing, niches)


def _niches_of(catalogue: Catalogue, rows: Sequence[int]) -> tuple[str, ...]:
    """What some creators write about most, the strongest first."""
    middle = catalogue.niche_shares.iloc[list(rows)].mean().sort_values(ascending=False, kind="stable")
    return tuple(map(str, middle[middle >= _NICHE_PART].index))


def grounds(
    catalogue: Catalogue,
    reading: Reading,
    fitted: Fitted,
    shown: Sequence[Shown],
    model: FitModel | None = None,
) -> list[Grounds]:
    """What the fit of creators stands on, one for each."""
    rows = fitted.rows
    matched = shared_words(reading.topic, [one.terms for one in shown], catalogue.rarity)
    niches = catalogue.niche_shares.columns.get_indexer(pd.Index(reading.niches))
    shares = catalogue.niche_shares.to_numpy()[np.ix_(rows, niches)]
    quotes = [""] * len(rows) if reading.missing else _quotes(catalogue, reading.vector, shown)
    tags = [()] * len(rows) if reading.missing else _tags(catalogue, reading.vector, shown)
    precedents = (
        [None] * len(rows)
        if model is None or reading.missing
        else model.precedents(reading.vector, catalogue.profiles.vectors[rows])
    )
    found = []
    for number, own in enumerate(shown):
        parts = zip(reading.niches, shares[number].tolist(), strict=True)
        found.append(
            Grounds(
                matched[number],
                sorted(((name, part) for name, part in parts if part >= _NICHE_PART), key=lambda one: -one[1])[
                    :_NICHES_SHOWN
                ],
                quotes[number],
                tags[number],
                own.facts,
                {name: float(values[number]) for name, values in fitted.matches.items()},
                precedents[number],
            )
        )
    return found


def _closest(
    catalogue: Catalogue, brief: BriefVector, pieces: Sequence[Pieces], least: float, most: int
) -> list[list[str]]:
    """Of each creator's pieces of text those that are closest to a brief, the closest first."""
    vectors = np.concatenate([own.vectors for own in pieces]) if pieces else np.empty((0, len(brief.vector)))
    likeness = catalogue.profiles.line_likeness(vectors, brief)
    found, start = [], 0
    for own in pieces:
        parts = likeness[start : start + len(own.texts)]
        start += len(own.texts)
        places = np.argsort(-parts, kind="stable")[:most]
        found.append([own.texts[place] for place in places if parts[place] >= least])
    return found


def _quotes(catalogue: Catalogue, brief: BriefVector, shown: Sequence[Shown]) -> list[str]:
    """The sentence of each creator that is closest to a brief, empty where none comes close."""
    found = _closest(catalogue, brief, [one.sentences for one in shown], _LEAST_LIKENESS, 1)
    return [own[0] if own else "" for own in found]


def _tags(catalogue: Catalogue, brief: BriefVector, shown: Sequence[Shown]) -> list[tuple[str, ...]]:
    """The hashtags of each creator that are closest to a brief."""
    found = _closest(catalogue, brief, [one.tags for one in shown], _LEAST_TAG_LIKENESS, _TAGS_SHOWN)
    return [tuple(own) for own in found]


def ranked_frame(
    catalogue: Catalogue,
    reading: Reading,
    fitted: Fitted,
    words: Words,
    model: FitModel | None = None,
) -> pd.DataFrame:
    """Rows of a list, as `RANKED_COLUMNS` but for the score: creators with their fit and the reasons in words."""
    frame = catalogue.listed.iloc[fitted.rows].reset_index(drop=True)
    shown = catalogue.shown.of(fitted.rows.tolist())
    stands_on = grounds(catalogue, reading, fitted, shown, model)
    said = [
        reasons(one.record, words, own, reading.wanted, reading.brief.name)
        for one, own in zip(shown, stands_on, strict=True)
    ]
    return frame.assign(
        rank=np.arange(1, len(frame) + 1),
        authenticity_assessed=frame["authenticity"].notna(),
        fit=fitted.fit,
        reason=pd.Series([one[0] for one in said], dtype="str"),
        reasons=pd.Series([REASON_SEPARATOR.join(one) for one in said], dtype="str"),
        matched_words=pd.Series([", ".join(own.matched) for own in stands_on], dtype="str"),
    )
