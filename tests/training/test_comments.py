import numpy as np
import pandas as pd
import pytest

from training.comment_sets import read_comment_sets, simulate_comments
from training.comments import (
    BY_FORM,
    EMPTY,
    CommentConfig,
    CommentModelError,
    fit_comments,
    load_comment_model,
    score_comments,
)
from training.metrics import auc

COMMENTS = pd.DataFrame(
    {
        "text": [
            "vay nhanh 50 triệu không thế chấp zalo 0912345678",
            "hey guys check out my channel and subscribe http://bit.ly/x",
            "nice",
            "where did you buy that dress?",
            None,
            "Привет всем, как дела у вас",
            "mai mình đi học về sớm rồi gọi cho mẹ",
        ]
    }
).astype("str")


@pytest.fixture(scope="module")
def model():
    return fit_comments([], CommentConfig(simulated=4_000))


def test_scores_and_reasons(model):
    scored = score_comments(model, COMMENTS)
    p = scored["inauthentic_probability"]
    assert scored["flagged"].fillna(False).tolist() == [True, True, False, False, False, False, False]
    assert p[0] > 0.9
    assert p[1] > 0.9
    assert p[2] < 0.5
    assert p[3] < 0.5
    assert scored["kind"][:2].tolist() == ["scam", "spam"]
    assert scored["kind"][2] == "generic_filler"
    assert np.isnan(p[4])
    assert scored["reason"][4] == EMPTY
    assert not scored["assessed"][4]
    assert scored["reason"][5] == BY_FORM
    assert scored["assessed"][5]
    assert scored["reason"][:4].isna().all()


def test_a_comment_scores_the_same_alone_and_in_any_batch(model):
    together = score_comments(model, COMMENTS)["inauthentic_probability"]
    alone = [score_comments(model, COMMENTS.iloc[[row]])["inauthentic_probability"].iloc[0] for row in range(7)]
    np.testing.assert_array_equal(together, alone)


def test_copies_change_the_kind_and_never_the_probability(model):
    text = "mai mình đi học về sớm rồi gọi cho mẹ"
    alone = score_comments(model, pd.DataFrame({"text": [text]}))["inauthentic_probability"][0]
    copied = score_comments(model, pd.DataFrame({"text": [text, text + "!", text], "author_id": ["a", "b", "c"]}))
    assert copied["kind"].tolist() == ["copy_paste"] * 3
    assert copied["copies"].tolist() == [2, 2, 2]
    assert copied["inauthentic_probability"][0] == alone
    one_author = score_comments(model, pd.DataFrame({"text": [text] * 3, "author_id": ["a"] * 3}))
    assert one_author["kind"].isna().all()


def test_saved_and_loaded_scores_alike_and_a_changed_file_is_refused(model, tmp_path):
    model.save(tmp_path)
    loaded = load_comment_model(tmp_path)
    pd.testing.assert_frame_equal(score_comments(loaded, COMMENTS), score_comments(model, COMMENTS))
    with (tmp_path / "social_form.txt").open("a") as file:
        file.write("\n")
    with pytest.raises(CommentModelError, match="social_form"):
        load_comment_model(tmp_path)
    with pytest.raises(CommentModelError, match="not a readable"):
        load_comment_model(tmp_path / "nowhere")


def test_a_table_without_text_is_refused(model):
    with pytest.raises(ValueError, match="column text is missing"):
        score_comments(model, pd.DataFrame({"txt": ["x"]}))


def test_unseen_generated_comments_are_ranked(model):
    unseen = simulate_comments(1_500, 99)
    p = model.score(unseen.comments["text"])["inauthentic_probability"]
    assert auc(unseen.inauthentic, p) > 0.95


@pytest.mark.data
def test_generated_comments_teach_what_spam_under_videos_looks_like(model, real_data):
    videos = next(one for one in read_comment_sets(real_data / "comments") if one.name == "youtube_spam")
    p = model.score(videos.comments["text"])["inauthentic_probability"].fillna(0)
    assert auc(videos.inauthentic, p) >= 0.85
