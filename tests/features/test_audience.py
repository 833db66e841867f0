"""Audience signals on samples small enough to count."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.audience import LEAST, SIGNALS, audience_pointers, audience_signals
from features.histories import Histories, make_histories
from features.tables import Tables, check_tables

AS_OF = pd.Timestamp("2026-03-01T00:00:00Z")
ACCOUNTS = tuple(signal.name for signal in SIGNALS if signal.of.startswith("sampled"))
CLOSENESS = tuple(signal.name for signal in SIGNALS if signal.name not in ACCOUNTS)
#: An honest account, and what other kinds have that it has not.
PLAIN: dict[str, float] = {
    "followers": 250, "following": 300, "posts_count": 40, "bio_length": 20, "username_digits": 0,
    "has_picture": 1, "is_private": 0,
}  # fmt: skip
KINDS: dict[str, dict[str, float]] = {
    "mass": {"following": 1501},
    "almost mass": {"following": 1500},
    "empty": {"has_picture": 0, "posts_count": 3, "bio_length": 0},
    "wordy": {"has_picture": 0, "posts_count": 3},
    "unfollowed": {"followers": 29},
    "digits": {"username_digits": 3},
    "private": {"is_private": 1},
    "known": {"followers": 5001},
}
#: 40 accounts: 24 plain and two of each kind.
SAMPLE = [*["plain"] * 24, *[kind for kind in KINDS for _ in range(2)]]

#: number of the post, author
Comment = tuple[int, str]
#: Posts 0, 1, 2 and 3 are published on days 0, 5, 7 and 20.
DAYS = (0, 5, 7, 20)
#: a is under all but post 2, b under 0 and 1 only, c under 0 and 2, d under 3 three times.
COMMENTS: list[Comment] = [
    *[(0, "a"), (0, "b"), (0, "c")],
    *[(1, "a"), (1, "b"), (1, "me")],
    *[(2, "c")],
    *[(3, "a"), (3, "d"), (3, "d"), (3, "d")],
]

HAND = {
    "audience_mass_follower_share_all": 2 / 40,
    "audience_empty_profile_share_all": 2 / 40,
    # 29 < 30; mass followers have 250 of 1,501
    "audience_unfollowed_share_all": 2 / 40,
    "audience_digit_name_share_all": 2 / 40,
    # empty and wordy
    "audience_no_picture_share_all": 4 / 40,
    "audience_private_share_all": 2 / 40,
    "audience_influencer_share_all": 2 / 40,
    # 3, 3 and 2 digits: plain, digits and private
    "audience_shape_top_share_all": 28 / 40,
    "audience_posts_median_all": 40.0,
    # a wrote 3 and c 2 of ten comments by others, each under posts 7 days apart or more; b's are 5 apart
    "commenters_back_share_all": 5 / 10,
    # a and b of 2, nobody of 1, nobody of 1
    "commenters_overlap_mean_all": (2 / 2 + 0 / 1 + 0 / 1) / 3,
}


def _accounts(kinds: Sequence[str], creator: str = "me") -> pd.DataFrame:
    rows = [PLAIN | KINDS.get(kind, {}) for kind in kinds]
    frame = pd.DataFrame(rows).assign(creator_id=creator, account_id=[f"a{n:03d}" for n in range(len(rows))])
    return frame.assign(relation="follower").astype({"has_picture": bool, "is_private": bool})


def _tables(
    accounts: pd.DataFrame | None = None, comments: Sequence[Comment] = COMMENTS, days: Sequence[float] = DAYS
) -> Tables:
    published = pd.Timestamp("2026-01-01T12:00:00Z") + pd.to_timedelta(list(days), unit="D")
    numbers, authors = [number for number, _ in comments], [author for _, author in comments]
    return check_tables(
        {
            "creators": pd.DataFrame({"creator_id": ["me", "other"], "platform": "instagram", "followers": 1000}),
            "posts": pd.DataFrame(
                {
                    "creator_id": "me",
                    "post_id": [f"p{n}" for n in range(len(days))],
                    "published_at": published,
                    "observed_at": AS_OF,
                    "likes": 10,
                    "comments": 3,
                }
            ),
            "comments": pd.DataFrame(
                {
                    "creator_id": pd.Series("me", index=range(len(comments)), dtype="str"),
                    "post_id": pd.Series([f"p{n}" for n in numbers], dtype="str"),
                    "author_id": pd.Series(authors, dtype="str"),
                    "comment_id": pd.Series([f"k{n}" for n in range(len(comments))], dtype="str"),
                    "published_at": published[numbers] + pd.Timedelta("1h"),
                    "text": "nice",
                }
            ),
            "audience": _accounts(SAMPLE) if accounts is None else accounts,
        }
    )


def _histories(tables: Tables) -> Histories:
    return make_histories(tables, AS_OF, imported_at=AS_OF)


def _signals(tables: Tables) -> dict[str, float]:
    return {name: float(values[0]) for name, values in audience_signals(_histories(tables)).items()}


@pytest.mark.parametrize("name", HAND)
def test_a_value_worked_out_by_hand(name: str) -> None:
    assert _signals(_tables())[name] == pytest.approx(HAND[name], rel=1e-12)


def test_every_signal_is_worked_out_and_computed() -> None:
    assert set(HAND) == {signal.name for signal in SIGNALS} == set(_signals(_tables()))


def test_nobody_known_around_a_creator_leaves_all_missing() -> None:
    assert all(np.isnan(values[1]) for values in audience_signals(_histories(_tables())).values())
    later = make_histories(_tables(), AS_OF, imported_at=AS_OF + pd.Timedelta("1D"))
    assert all(np.isnan(audience_signals(later)[name]).all() for name in ACCOUNTS)


def test_a_share_needs_thirty_accounts_of_which_it_is_known() -> None:
    few, enough = (_signals(_tables(_accounts(SAMPLE[:count]))) for count in (LEAST - 1, LEAST))
    assert all(np.isnan(few[name]) and np.isfinite(enough[name]) for name in ACCOUNTS)
    hidden = _accounts(SAMPLE).astype({"following": "Int64"})
    hidden.loc[: 40 - LEAST, "following"] = pd.NA
    unknown = _signals(_tables(hidden))
    needing = ("audience_mass_follower_share_all", "audience_unfollowed_share_all", "audience_shape_top_share_all")
    assert {name for name in ACCOUNTS if np.isnan(unknown[name])} == set(needing)


def test_accounts_of_which_it_is_not_known_are_not_counted() -> None:
    hidden = _accounts(SAMPLE).astype({"has_picture": "boolean"})
    hidden.loc[:4, "has_picture"] = pd.NA
    signals = _signals(_tables(hidden))
    assert signals["audience_no_picture_share_all"] == pytest.approx(4 / 35)
    assert signals["audience_empty_profile_share_all"] == pytest.approx(2 / 35)


def test_accounts_made_alike_share_a_shape() -> None:
    honest = _signals(_tables())["audience_shape_top_share_all"]
    made = _signals(_tables(_accounts([*SAMPLE, *["empty"] * 100])))
    assert made["audience_shape_top_share_all"] == pytest.approx(104 / 140)
    assert honest < 104 / 140
    assert made["audience_posts_median_all"] == 3.0


def test_coming_back_needs_three_posts_and_a_week() -> None:
    two = _signals(_tables(comments=[(0, "a"), (3, "a"), (3, "b")]))
    assert all(np.isnan(two[name]) for name in CLOSENESS)
    hasty = _signals(_tables(days=(0, 2, 4, 6.9)))
    assert np.isnan(hasty["commenters_back_share_all"])
    assert hasty["commenters_overlap_mean_all"] == pytest.approx(1 / 3)
    assert _signals(_tables(days=(0, 1, 2, 7)))["commenters_back_share_all"] == pytest.approx(3 / 10)


def test_a_creator_is_the_same_alone_and_among_others_in_any_order() -> None:
    alone = _tables()
    others = [
        {
            name: frame.assign(creator_id=frame["creator_id"] + suffix)
            if name == "creators"
            else frame.assign(
                creator_id=f"me{suffix}", **({"author_id": frame["author_id"] + suffix} if name == "comments" else {})
            )
            for name, frame in alone.items()
        }
        for suffix in ("0", "1")
    ]
    many = {name: pd.concat([other[name] for other in others] + [frame]) for name, frame in alone.items()}
    mixed = {name: frame.sample(frac=1, random_state=4).reset_index(drop=True) for name, frame in many.items()}
    histories = _histories(check_tables(mixed))
    row = histories.creators["creator_id"].tolist().index("me")
    together = audience_signals(histories)
    assert {name: float(values[row]) for name, values in together.items()} == _signals(alone)


def test_pointers_lead_to_the_accounts_and_comments_behind_a_signal() -> None:
    histories = _histories(_tables())
    pointers = audience_pointers(histories)
    assert {signal.points_at.split(":")[1] for signal in SIGNALS} == set(pointers)
    shown = {
        name: histories.audience.texts["account_id"][~np.isnan(values)]
        for name, values in pointers.items()
        if name != "back"
    }
    first = len(SAMPLE) - 2 * len(KINDS)
    assert shown["mass_follower"].tolist() == [f"a{first:03d}", f"a{first + 1:03d}"]
    assert len(shown["no_picture"]) == 4
    assert len(shown["shape"]) == 40
    assert np.nanargmax(pointers["shape"]) == 0
    back = histories.authors[histories.comments["author"][~np.isnan(pointers["back"])].astype(int)]
    assert sorted(back) == ["a", "a", "a", "c", "c"]


# ---- real accounts


def _instafake(folder: Path) -> pd.DataFrame:
    rows = [
        json.loads((folder / "instafake" / f"{kind}AccountData.json").read_text(encoding="utf-8"))
        for kind in ("fake", "real")
    ]
    names = {
        "userFollowerCount": "followers",
        "userFollowingCount": "following",
        "userMediaCount": "posts_count",
        "userBiographyLength": "bio_length",
        "usernameDigitCount": "username_digits",
        "userHasProfilPic": "has_picture",
        "userIsPrivate": "is_private",
        "isFake": "fake",
    }
    return pd.DataFrame([row for kind in rows for row in kind]).rename(columns=names)[[*names.values()]]


def _srf(folder: Path) -> pd.DataFrame:
    names = {
        "Number.of.followers": "followers",
        "Number.of.people.they.follow": "following",
        "Number.of.posts": "posts_count",
        "username_digits": "username_digits",
        "has_profile_picture": "has_picture",
        "Private.account": "is_private",
        "rating": "fake",
    }
    return pd.read_csv(folder / "srf_labelled.csv").rename(columns=names)[[*names.values()]]


@pytest.mark.parametrize("source", ["instafake", "srf"])
def test_signals_of_manufactured_accounts_grow_with_the_share_of_real_fakes(source: str, real_data: Path) -> None:
    read = {"instafake": _instafake, "srf": _srf}[source]
    accounts = read(real_data / "accounts").astype("Int64").astype({"has_picture": "boolean", "is_private": "boolean"})
    rng = np.random.default_rng(4)
    means = []
    for share in (5, 20, 50):
        samples = []
        for creator in range(40):
            fakes = rng.choice(np.flatnonzero(accounts["fake"] == 1), 2 * share)
            honest = rng.choice(np.flatnonzero(accounts["fake"] == 0), 200 - 2 * share)
            drawn = accounts.iloc[np.concatenate([fakes, honest])].drop(columns="fake").reset_index(drop=True)
            samples.append(drawn.assign(creator_id=f"c{creator:02d}", account_id=[f"a{n:03d}" for n in range(200)]))
        audience = pd.concat(samples, ignore_index=True).assign(relation="follower")
        names = sorted(set(audience["creator_id"]))
        creators = pd.DataFrame({"creator_id": names, "platform": "instagram", "followers": 20_000})
        posts = pd.DataFrame({"creator_id": names, "post_id": names, "published_at": AS_OF, "likes": 1, "comments": 0})
        tables = check_tables({"creators": creators, "posts": posts, "audience": audience})
        means.append(pd.DataFrame(audience_signals(_histories(tables)))[list(ACCOUNTS)].mean())
    grown = pd.DataFrame(means, index=[5, 20, 50])
    for signal in SIGNALS:
        if signal.name in ACCOUNTS and signal.direction != "none" and grown[signal.name].notna().all():
            steps = np.diff(grown[signal.name]) * (1 if signal.direction == "high" else -1)
            assert (steps > 0).all(), signal.name
    assert grown.isna().any().sum() == (source == "srf")  # no lengths of biographies, so no empty profiles
