import unicodedata
from importlib import resources
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from features.evidence import GROUPS
from features.peers import LEVELS
from features.roles import ROLES
from features.signals import SIGNALS
from serving.words import LANGUAGES, ROLE_WORDS, words_for
from training.authenticity import NEEDS, NO_HEAD

SERVING = Path(str(resources.files("serving")))


def said() -> set[str]:
    """Every message of the room: of its code, its templates, and the reasons the model gives for abstaining."""
    found = extract_from_dir(SERVING, [("**.py", "python"), ("**.html", "jinja2")], keywords={"_": None, "N_": None})
    return {str(message) for _, _, message, _, _ in found} | {NO_HEAD, *(reason for _, reason in NEEDS.values())}


def test_everything_said_is_said_in_vietnamese() -> None:
    with (SERVING / "translations" / "vi.po").open("rb") as file:
        translated = {message.id: message.string for message in read_po(file) if message.id}
    assert said() - set(translated) == set()
    assert set(translated) - said() == set()
    assert [text for text, vietnamese in translated.items() if not vietnamese] == []
    assert all(unicodedata.is_normalized("NFC", text) for text in translated.values())


def test_translations_keep_the_names_to_fill_in() -> None:
    words = words_for("vi")
    for message in said():
        assert set(_names(words.say(message))) == set(_names(message)), message


def _names(message: str) -> list[str]:
    return [part.split("}")[0] for part in message.split("{")[1:]]


@pytest.mark.parametrize(
    ("value", "english", "vietnamese"),
    [
        (0, "0", "0"),
        (0.01234, "0.0123", "0,0123"),
        (3.14159, "3.14", "3,14"),
        (1234567.8, "1,234,568", "1.234.568"),
        (-5.5, "-5.5", "-5,5"),
    ],
)
def test_numbers(value: float, english: str, vietnamese: str) -> None:
    assert words_for("en").number(value) == english
    assert words_for("vi").number(value) == vietnamese


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.934, "93%"),
        (0.051, "5.1%"),
        (0.05, "5%"),
        (0, "0%"),
        (1, "100%"),
        (-0.004, "-0.4%"),
        (0.996, "99.6%"),
        (0.0002, "<0.1%"),
        (0.9999, ">99.9%"),
    ],
)
def test_percentages(share: float, text: str) -> None:
    assert words_for("en").percent(share) == text


@pytest.mark.parametrize(
    ("signal", "value", "text"),
    [
        ("posting_gap_median_all", 2.5, "2.5 days"),
        ("follower_growth_28d", 0.034, "3.4%"),
        ("engagement_level_against_size_30p", 0.0, "1 times"),
        ("likes_gini_all", 0.4, "0.4"),
        ("a signal of an older registry", 0.4, "0.4"),
    ],
)
def test_values_carry_their_unit(signal: str, value: float, text: str) -> None:
    assert words_for("en").value(signal, value) == text


def test_every_signal_can_be_said() -> None:
    for language in LANGUAGES:
        words = words_for(language)
        for name in SIGNALS:
            for value in (1.5, -1e3, 1e3):  # a steep trend over few posts reaches such logarithms
                item = {"signal": name, "value": value, "typical_low": 0.1, "typical_high": 0.9}
                assert words.signal(name) in words.evidence(item)


def test_factors_beyond_a_thousand_are_not_told_to_the_digit() -> None:
    words = words_for("en")
    assert words.value("likes_trend_all", 0.7) == "2.01 times"
    assert words.value("likes_trend_all", 72.4) == ">1,000 times"
    assert words.value("likes_trend_all", -72.4) == "<0.001 times"


def test_notices_say_what_the_model_learned_from() -> None:
    assert "trained on simulated creators" in words_for("en").notice("simulated")
    assert "mô phỏng" in words_for("vi").notice("simulated")
    assert "agency 2026" in words_for("en").notice("agency 2026")


def test_wording_towards_people_is_neutral() -> None:
    assert words_for("en").head("bought_followers") == "signals consistent with bought followers"
    assert words_for("vi").head("bought_followers") == "dấu hiệu giống với việc mua người theo dõi"


def test_where_a_value_stands_is_said_in_both_languages() -> None:
    for level in LEVELS:
        item = {"percentile": 99, "peers": 12_345, "peers_level": level}
        assert words_for("en").among_peers(item).startswith("higher than 99% of 12,345 creators")
        assert words_for("vi").among_peers(item).startswith("cao hơn 99% trong 12.345 nhà sáng tạo")
    assert words_for("en").among_peers({"percentile": None}) == words_for("en").among_peers({}) == ""


def test_every_group_and_window_can_be_said() -> None:
    for language in LANGUAGES:
        words = words_for(language)
        assert all(words.window(name) for name in SIGNALS)
        assert all(words.group(name) != name for name in GROUPS)
    assert words_for("en").window("a signal of an older registry") == ""


def test_every_role_has_words_in_both_languages() -> None:
    assert set(ROLES) == set(ROLE_WORDS)
    assert all(words_for("vi").role(role) for role in ROLES)
