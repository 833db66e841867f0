import numpy as np
import pandas as pd
import pytest

from features.comment_texts import FORM, form_signals, read_comments


def texts(*values):
    return pd.Series(list(values), dtype="str")


@pytest.mark.parametrize(
    ("text", "column", "count"),
    [
        ("see www.shop.com/x and http://a.b/c", "links_log", 2),
        ("mail me a.b@c.com", "emails_log", 1),
        ("zalo 0912.345.678", "phones_log", 1),
        ("only $20 or 300k", "prices_log", 2),
        ("@anna @tom look", "mentions_log", 2),
        ("wow!!", "exclamations_log", 2),
        ("SUBSCRIBE and 𝐜𝐥𝐢𝐜𝐤", "call_log", 2),
        ("vay tiền", "money_log", 2),
        ("VAY TIEN", "money_log", 2),
    ],
)
def test_counts(text, column, count):
    assert form_signals(texts(text))[column].iloc[0] == pytest.approx(np.log1p(count))


def test_shares():
    row = form_signals(texts("ABcd 12!")).iloc[0]
    assert row["upper_share"] == pytest.approx(2 / 6)  # digits are characters of words
    assert row["digit_share"] == pytest.approx(2 / 7)
    assert form_signals(texts("go go go go"))["distinct_words"].iloc[0] == pytest.approx(1 / 4)
    assert form_signals(texts("a 2020 b"))["phones_log"].iloc[0] == 0


def test_nothing_said_is_all_finite():
    frame = form_signals(texts("", None, "   "))
    assert list(frame.columns) == list(FORM)
    assert np.isfinite(frame.to_numpy()).all()
    assert (read_comments(texts("", None, "   ")).visible == 0).all()


def test_what_varies_from_campaign_to_campaign_is_one_term():
    read = read_comments(texts("call 0912345678 now", "call 0987654321 now", "call somebody now"))
    first, second, third = (
        set(read.terms.buckets[a:b]) for a, b in zip(read.terms.offsets, read.terms.offsets[1:], strict=False)
    )
    assert first == second != third


def test_a_text_reads_the_same_alone_and_in_a_batch():
    batch = texts("Check my channel http://x.com", "đẹp quá 😍", "", "Привет всем", "giá 300k ib em")
    together = read_comments(batch)
    for row in range(len(batch)):
        alone = read_comments(batch.iloc[[row]])
        taken = together.take(np.array([row]))
        np.testing.assert_array_equal(alone.form, taken.form)
        np.testing.assert_array_equal(alone.terms.buckets, taken.terms.buckets)
        np.testing.assert_array_equal(alone.terms.counts, taken.terms.counts)
        assert alone.languages == taken.languages
