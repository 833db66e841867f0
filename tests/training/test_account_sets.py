"""Labelled accounts: readers on invented rows in the sources' own spelling, and the generator."""

import json

import numpy as np
import pandas as pd
import pytest

from training.account_sets import (
    AccountSetError,
    read_account_sets,
    read_instafake,
    read_labelled,
    read_srf,
    simulate_accounts,
)


def insta(followers, fake):
    return {
        "userFollowerCount": followers,
        "userFollowingCount": 7,
        "userBiographyLength": 0,
        "userMediaCount": 2,
        "userHasProfilPic": 1,
        "userIsPrivate": 0,
        "usernameDigitCount": 1,
        "usernameLength": 9,
        "isFake": fake,
    }


@pytest.fixture
def folder(tmp_path):
    instafake = tmp_path / "accounts" / "instafake"
    instafake.mkdir(parents=True)
    (instafake / "fakeAccountData.json").write_text(json.dumps([insta(1, 1), insta(2, 1)]))
    (instafake / "realAccountData.json").write_text(json.dumps([insta(300, 0), insta(300, 0)]))
    header = "rating,Number.of.posts,Number.of.people.they.follow,Number.of.followers,has_profile_picture,"
    rows = "TRUE,0,5000,3,FALSE,TRUE,a_1,9,3\nFALSE,20,200,150,TRUE,FALSE,a_2,8,0\n"
    (tmp_path / "accounts" / "srf_labelled.csv").write_text(
        header + "Private.account,account,username_length,username_digits\n" + rows
    )
    (tmp_path / "accounts" / "mine.csv").write_text("followers,following,fake\n5,100,1\n7,,0\n9,10,\n")
    (tmp_path / "other.csv").write_text("followers,following,fake\n5,100,1\n7,3,0\n")
    return tmp_path


def test_every_known_set_is_found_and_said(folder):
    found = {one.name: one for one in read_account_sets(folder)}
    assert list(found) == ["instafake", "mine", "srf_labelled"]
    assert found["instafake"].fake.tolist() == [True, True, False]
    assert "1 repeated rows left out" in found["instafake"].notes
    assert len(read_instafake(folder / "accounts" / "instafake", deduplicate=False).fake) == 4
    srf = found["srf_labelled"]
    assert srf.fake.tolist() == [True, False]
    assert srf.accounts["has_picture"].tolist() == [False, True]
    assert "bio_length" not in srf.accounts
    mine = found["mine"]
    assert mine.fake.tolist() == [True, False]
    assert mine.accounts["following"].isna().tolist() == [False, True]
    assert "1 rows without a label left out" in mine.notes


def test_labels_beside_a_table(tmp_path):
    pd.DataFrame({"account_id": ["x", "y"], "followers": [1, 2], "following": [3, 4]}).to_parquet(
        tmp_path / "a.parquet"
    )
    (tmp_path / "labels.csv").write_text("account_id,kind,value\nx,fake,true\ny,fake,false\n")
    assert read_labelled(tmp_path / "a.parquet").fake.tolist() == [True, False]


def test_what_is_wrong_is_named(folder, tmp_path):
    with pytest.raises(AccountSetError, match="no such folder"):
        read_account_sets(tmp_path / "nowhere")
    (folder / "bad.csv").write_text("rating,Number.of.posts\nTRUE,1\n")
    with pytest.raises(AccountSetError, match=r"bad.csv: missing .*Number.of.followers"):
        read_srf(folder / "bad.csv")
    (folder / "one.csv").write_text("followers,following,fake\n5,100,1\n")
    with pytest.raises(AccountSetError, match="found 1 fake of 1"):
        read_labelled(folder / "one.csv")
    (folder / "minus.csv").write_text("followers,following,fake\n-5,100,1\n4,5,0\n")
    with pytest.raises(AccountSetError, match=r"minus: accounts.followers, rows 1: found -5"):
        read_labelled(folder / "minus.csv")


def test_generated_accounts_are_many_worlds_and_repeatable():
    drawn = simulate_accounts(1000, 4, worlds=7)
    assert len(drawn.accounts) == 1000
    assert drawn.simulated
    assert abs(drawn.fake.mean() - 0.5) < 0.01
    assert np.unique(drawn.groups, return_counts=True)[1].tolist() == [143] * 6 + [142]
    assert drawn.digest == simulate_accounts(1000, 4, worlds=7).digest
    assert drawn.digest != simulate_accounts(1000, 5, worlds=7).digest
    digits = drawn.accounts["username_digits"] <= drawn.accounts["username_length"]
    assert digits.all()
    with pytest.raises(ValueError, match="at least 2 in each"):
        simulate_accounts(5, 0, worlds=3)


def test_generated_medians_are_near_what_was_measured():
    drawn = simulate_accounts(60_000, 1, worlds=60)
    cheap = drawn.accounts[drawn.accounts["kind"] == "cheap"]
    # FACTS.md, section 1: the worlds' own medians spread around these
    assert 20 <= cheap["followers"].median() <= 80
    assert 1000 <= cheap["following"].median() <= 3000
    assert cheap["posts_count"].median() <= 3
    assert 0.18 <= 1 - cheap["has_picture"].mean() <= 0.40
    assert (cheap["bio_length"] == 0).mean() == pytest.approx(0.74, abs=0.03)


def test_real_sets(real_data):
    found = {one.name: one for one in read_account_sets(real_data)}
    assert found["instafake"].fake.sum() == 200
    assert len(found["instafake"].fake) == 1194 - 29
    assert (len(found["srf_labelled"].fake), found["srf_labelled"].fake.sum()) == (975, 98)
