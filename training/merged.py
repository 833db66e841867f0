"""Several boosters as one with as many outputs: for a row or two, calling a booster takes longer than its trees do."""

import re
from collections.abc import Sequence

import lightgbm as lgb
import numpy as np

from training.shares import Floats

#: Rows up to which the merged booster is faster. Over many rows each booster by itself stays in the processor's cache:
#: 29 boosters of 120 to 240 trees took 3 to 4 times as long as one for a row, as long for 15, half as long for 100.
MOST_ROWS = 15

_TREE = re.compile(r"^Tree=\d+\n", re.MULTILINE)
_END = "\nend of trees"
#: A tree that adds nothing, for the outputs whose booster has fewer trees than others.
_NOTHING = "num_leaves=1\nnum_cat=0\nleaf_value=0\nis_linear=0\nshrinkage=1\n\n\n"
#: Lines of the head that say what one booster alone is; without an objective, outputs are raw scores.
_OF_ONE = ("num_class=", "num_tree_per_iteration=", "objective=", "tree_sizes=")


def merge_boosters(boosters: Sequence[lgb.Booster]) -> lgb.Booster:
    """One booster with an output for each of several.

    Parameters
    ----------
    boosters : sequence of lightgbm.Booster
        Of one output each, over the same columns.

    Returns
    -------
    lightgbm.Booster
        Predicts raw scores of shape (rows, boosters), to the last bit those of each by itself.

    Raises
    ------
    ValueError
        Where one has several outputs, or other columns than the first.
    """
    parts = [booster.model_to_string(num_iteration=-1).partition(_END)[0] for booster in boosters]
    heads, *_ = zip(*(_TREE.split(part, maxsplit=1) for part in parts), strict=True)
    columns = {re.findall(r"^feature_names=.*$|^num_class=.*$", head, re.MULTILINE)[-1] for head in heads}
    if len(columns) > 1 or any(booster.num_model_per_iteration() > 1 for booster in boosters):
        raise ValueError("boosters must have one output each and the same columns")
    outputs = len(boosters)
    trees = [_TREE.split(part)[1:] for part in parts]
    blocks = [own[place] if place < len(own) else _NOTHING for place in range(max(map(len, trees))) for own in trees]
    version, kind, *rest = [line for line in heads[0].split("\n") if not line.startswith(_OF_ONE)]
    head = [version, kind, f"num_class={outputs}", f"num_tree_per_iteration={outputs}", *rest]
    body = "".join(f"Tree={number}\n{block}" for number, block in enumerate(blocks))
    return lgb.Booster(model_str="\n".join(head) + "\n" + body + _END + "\n")


def raw_scores(boosters: Sequence[lgb.Booster], x: Floats, threads: int) -> Floats:
    """Raw score of every booster by itself, float64 of shape (boosters, rows)."""
    return np.array([booster.predict(x, raw_score=True, num_threads=threads) for booster in boosters], dtype=np.float64)
