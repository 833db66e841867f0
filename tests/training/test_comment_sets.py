import numpy as np
import pandas as pd
import pytest

from training.comment_sets import KINDS, UnknownSetError, read_comment_sets, simulate_comments


def test_generated_comments_repeat_by_seed_and_leave_no_slot_open():
    one, again, other = (simulate_comments(600, seed) for seed in (1, 1, 2))
    assert one.comments.equals(again.comments)
    assert not one.comments.equals(other.comments)
    assert not one.comments["text"].str.contains(r"[{}]").any()
    assert set(np.unique(one.kinds.astype(str))) == {"", *KINDS}
    assert ((one.kinds == "") == ~one.inauthentic).all()


def test_stock_phrases_are_mostly_honest():
    one = simulate_comments(8_000, 0)
    filler = np.array([group.endswith("filler") for group in one.groups])
    assert one.inauthentic[filler].mean() < 0.35


def test_sets_are_known_by_their_files(tmp_path):
    pd.DataFrame(
        {"CONTENT": ["sub me", None], "CLASS": [1, 0], "AUTHOR": ["a", "b"], "DATE": ["", ""], "video": ["v", "v"]}
    ).to_csv(tmp_path / "youtube_spam.csv.gz", index=False)
    pd.DataFrame({"free_text": ["ok", "bad"], "label_id": [0, 2]}).to_csv(tmp_path / "vihsd_train.csv", index=False)
    pd.DataFrame({"text": ["x", "y"], "inauthentic": [0, 1]}).to_parquet(tmp_path / "mine.parquet")
    videos, clean, mine = read_comment_sets(tmp_path)
    assert (videos.name, videos.inauthentic.tolist()) == ("youtube_spam", [True, False])
    assert videos.comments["text"].tolist() == ["sub me", ""]
    assert (clean.comments["text"].tolist(), clean.background) == (["ok"], True)
    assert (mine.name, mine.inauthentic.tolist(), mine.domain) == ("mine", [False, True], "social")


def test_a_folder_without_sets_says_what_was_expected(tmp_path):
    with pytest.raises(UnknownSetError, match="text and inauthentic"):
        read_comment_sets(tmp_path)
    pd.DataFrame({"text": ["x"], "inauthentic": [2]}).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(UnknownSetError, match="0 or 1"):
        read_comment_sets(tmp_path)
