"""Words, numbers and dates in the languages people read: English, and Vietnamese from `translations/vi.po`."""

import gettext
import io
import math
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

from babel import Locale
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

from features.evidence import GROUPS, window_of
from features.signals import SIGNALS
from features.taxonomy import read_taxonomy

Language = Literal["en", "vi"]
LANGUAGES: dict[Language, str] = {"en": "English", "vi": "Tiếng Việt"}


def N_(message: str) -> str:  # noqa: N802 - the name message extractors look for
    """Mark a message for translation where it is defined, to be translated where it is shown."""
    return message


#: What `model_data` says of a model trained on simulated creators.
SIMULATED = N_("simulated")
#: What signals of a head are consistent with, as it follows "signals consistent with".
HEAD_WORDS: dict[str, str] = {
    "bought_followers": N_("bought followers"),
    "bought_likes": N_("bought likes"),
    "bought_views": N_("bought views"),
    "comment_bots": N_("comment bots"),
    "engagement_pods": N_("engagement pods"),
}
_UNIT_WORDS: dict[str, str] = {
    "days": N_("{value} days"),
    "posts a week": N_("{value} posts a week"),
    "log ratio": N_("{value} times"),
    "log units": N_("{value} times"),
    "log units a year": N_("{value} times"),
    "robust sd": N_("{value}× the usual spread"),
}
#: Below this a percentage is shown with a decimal more.
_SMALL_SHARE = 0.1
#: The smallest share that is shown as a number.
_LEAST_SHARE = 0.001
#: The largest factor that is shown as a number, as a natural logarithm; its inverse is the smallest.
_MOST_LOG = math.log(1_000)


def _unit(name: str) -> str:
    signal = SIGNALS.get(name)
    return signal.unit if signal else ""


#: Where to look to check a piece of evidence, by the events it points at.
ROW_WORDS: dict[str, str] = {
    "posts": N_("look at the posts of {rows}"),
    "days": N_("look at {rows}"),
    "comments": N_("look at the comments of {rows}"),
    "accounts": N_("look at the accounts {rows}"),
}

#: What rows of the history a signal was computed from, by its window.
WINDOW_WORDS: dict[str, str] = {
    "30p": N_("last 30 posts"),
    "128p": N_("last 128 posts"),
    "28d": N_("last 28 days"),
    "90d": N_("last 90 days"),
    "all": N_("whole history"),
}
#: Beside whom a value stands, by the level of the peers' cell.
PEER_WORDS: dict[str, str] = {
    "all": N_("higher than {percentile}% of {count} creators of all platforms"),
    "platform": N_("higher than {percentile}% of {count} creators of the platform"),
    "platform and tier": N_("higher than {percentile}% of {count} creators of the platform and tier"),
    "platform, tier and niche": N_("higher than {percentile}% of {count} creators of the platform, tier and niche"),
}

#: What a manufactured share is of.
SHARE_WORDS: dict[str, str] = {
    "followers": N_("of the followers"),
    "likes": N_("of the likes"),
    "views": N_("of the views"),
    "comments": N_("of the comments"),
}
#: How the probability falls without the rows behind a flag, by what was taken away.
WITHOUT_WORDS: dict[str, str] = {
    "posts": N_("Without {rows} of the posts the probability falls from {before} to {after}."),
    "days": N_(
        "Had followers grown as usual on {rows} of the days, the probability would fall from {before} to {after}."
    ),
    "comments": N_("Without {rows} of the comments the probability falls from {before} to {after}."),
}
#: The same where even the best rows take away less than half of what is above the base rate.
ONLY_WITHOUT_WORDS: dict[str, str] = {
    "posts": N_("No few posts carry this: without {rows} of them it only goes from {before} to {after}."),
    "days": N_("No few days carry this: with usual growth on {rows} of them it only goes from {before} to {after}."),
    "comments": N_("No few comments carry this: without {rows} of them it only goes from {before} to {after}."),
}


#: Roles by their names in `features/norms/roles.toml`.
ROLE_WORDS: dict[str, str] = {
    "koc": N_("KOC"),
    "reviewer": N_("reviewer"),
    "rising_creator": N_("rising creator"),
    "hot_teen": N_("hot teen"),
    "model": N_("model"),
    "seeder": N_("seeder"),
    "blogger": N_("blogger"),
    "ordinary_user": N_("ordinary user"),
    "vlogger": N_("vlogger"),
}


class Words:
    """Everything that is said in one language."""

    def __init__(self, language: Language, translations: gettext.NullTranslations) -> None:
        self.language = language
        self.translations = translations
        self._locale = Locale(language)  # a name would be read anew for every number

    def say(self, message: str, **values: Any) -> str:
        """Translate a message and fill in its `{names}`."""
        text = self.translations.gettext(message) if message else ""
        return text.format(**values) if values else text

    def number(self, value: float) -> str:
        """A number of three significant digits, thousands whole."""
        if value == 0 or not math.isfinite(value):
            return format_decimal(value, locale=self._locale)
        digits = max(0, 2 - math.floor(math.log10(abs(value))))
        return format_decimal(round(value, digits), format=f"#,##0.{'#' * min(digits, 6)}", locale=self._locale)

    def count(self, value: int) -> str:
        """A whole number with the language's thousands separators."""
        return format_decimal(int(value), locale=self._locale)

    def percent(self, share: float) -> str:
        """A share as a percentage, with a decimal near 0 and 1; never rounded to certainty."""
        if 0 < share < _LEAST_SHARE:
            return f"<{self.percent(_LEAST_SHARE)}"
        if 1 - _LEAST_SHARE < share < 1:
            return f">{self.percent(1 - _LEAST_SHARE)}"
        pattern = "#,##0.#%" if abs(share) < _SMALL_SHARE or 0.99 < share < 1 else "#,##0%"
        return format_percent(share, format=pattern, locale=self._locale)

    def date(self, moment: datetime) -> str:
        """The UTC day of a moment."""
        return format_date(moment, format="medium", locale=self._locale)

    def moment(self, at: datetime) -> str:
        """The UTC day and minute of a moment."""
        return f"{self.date(at)}, {at:%H:%M} UTC"

    def signal(self, name: str) -> str:
        """What a signal is, in words; its name where the registry does not know it."""
        signal = SIGNALS.get(name)
        return name if signal is None else signal.words(self.language)

    def value(self, name: str, value: float) -> str:
        """Value of a signal with its unit."""
        unit = _unit(name)
        bare = self.bare_value(name, value)
        return self.say(_UNIT_WORDS[unit], value=bare) if unit in _UNIT_WORDS else bare

    def bare_value(self, name: str, value: float) -> str:
        """Value of a signal where its unit has been said."""
        unit = _unit(name)
        if unit.startswith("share"):
            return self.percent(value)
        if unit.startswith("log "):  # nobody reads logarithms: what they are of is a factor
            return self._factor(value)
        return self.number(value)

    def _factor(self, log: float) -> str:
        """What a logarithm is of; beyond a thousandfold only that it is beyond: few posts make steep trends."""
        if abs(log) <= _MOST_LOG:
            return self.number(math.exp(log))
        return f">{self.number(math.exp(_MOST_LOG))}" if log > 0 else f"<{self.number(math.exp(-_MOST_LOG))}"

    def evidence(self, item: Mapping[str, Any]) -> str:
        """A signal, its value and its typical range."""
        name, value = str(item["signal"]), item["value"]
        if value is None:
            return self.signal(name)
        text = f"{self.signal(name)}: {self.value(name, value)}"
        typical = self.typical(item)
        return f"{text} ({typical})" if typical else text

    def typical(self, item: Mapping[str, Any]) -> str:
        """The range that is typical for a signal; empty where it is not known."""
        if item["typical_low"] is None or item["typical_high"] is None:
            return ""
        name = str(item["signal"])
        low, high = (self.bare_value(name, item[end]) for end in ("typical_low", "typical_high"))
        return self.say(N_("typically {low} to {high}"), low=low, high=high)

    def group(self, name: str) -> str:
        """What a group of signals measures, in words; its name where the registry does not know it."""
        group = GROUPS.get(name)
        return name if group is None else group.words(self.language)

    def niche(self, name: str) -> str:
        """Name of a niche; as it stands where the taxonomy does not know it."""
        niche = read_taxonomy().get(name)
        return name if niche is None else (niche.vietnamese if self.language == "vi" else niche.english).lower()

    def role(self, name: str) -> str:
        """What a creator does on its platform; as it stands where it is none of those known."""
        return self.say(ROLE_WORDS.get(name, name))

    def country(self, code: str) -> str:
        """Name of a country by its code; as it stands where it is none that is known."""
        return str(self._locale.territories.get(code.upper(), code))

    def tongue(self, code: str) -> str:
        """Name of a language by its code; as it stands where it is none that is known."""
        return str(self._locale.languages.get(code.replace("-", "_").split("_")[0].lower(), code))

    def plain(self, value: float) -> str:
        """A number as fields of forms take it."""
        return f"{value:.15g}"

    def window(self, signal: str) -> str:
        """The part of the history that a signal was computed from; empty where the registry does not know it."""
        return self.say(WINDOW_WORDS[window_of(signal)]) if signal in SIGNALS else ""

    def among_peers(self, item: Mapping[str, Any]) -> str:
        """Where a value stands among peers; empty where that is not known."""
        if item.get("percentile") is None:
            return ""
        return self.say(
            PEER_WORDS[item["peers_level"]], percentile=self.count(item["percentile"]), count=self.count(item["peers"])
        )

    def share_name(self, count: str) -> str:
        """What a manufactured share is of."""
        return self.say(SHARE_WORDS[count])

    def head_name(self, head: str) -> str:
        """Name of a head."""
        return self.say(HEAD_WORDS[head])

    def head(self, head: str) -> str:
        """What a head screens for, in the only wording used towards people."""
        return self.say(N_("signals consistent with {head}"), head=self.say(HEAD_WORDS[head]))

    def notice(self, model_data: str) -> str:
        """What must be said wherever a score appears: what its model was trained on."""
        if model_data == SIMULATED:
            return self.say(
                N_(
                    "This model was trained on simulated creators with simulated manipulation. Its probabilities are "
                    "not yet measured on real cases: they help to decide what to look at first, and prove nothing "
                    "about anyone."
                )
            )
        return self.say(
            N_(
                "This model was trained on the histories of {data}, with simulated manipulation put into them. Its "
                "probabilities are not yet measured on real cases: they help to decide what to look at first, and "
                "prove nothing about anyone."
            ),
            data=self.say(model_data),
        )


@lru_cache
def words_for(language: Language) -> Words:
    """Words of a language, its catalogue compiled in memory."""
    if language == "en":
        return Words(language, gettext.NullTranslations())
    source = resources.files("serving").joinpath("translations", f"{language}.po")
    with source.open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Words(language, gettext.GNUTranslations(compiled))
