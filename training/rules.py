"""What vendors' published rules of thumb say: a floor for the heads.

Each rule is a signal and a threshold that a vendor, an agency or a platform's watcher has published, its source beside
it. A creator's score is the part of the known rules that are met. They were made for people who look
at a profile, not for this benchmark; nothing here was tuned.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

RULES = "rules"

#: By head: signal, whether it has to be above (1) or below (-1), and the threshold.
_RULES: Mapping[str, tuple[tuple[str, int, float], ...]] = {
    "bought_followers": (
        ("follower_step_round_lot_distance_all", -1, 0.02),  # jumps of exactly +1K or +5K: a purchase (Popular Pays)
        (
            "follower_gain_max_step_share_all",
            1,
            0.05,
        ),  # a sudden spike (HypeAuditor)
        ("follower_drop_after_step_28d", 1, 0.2),  # 80 % are left after four weeks (NATO StratCom)
        ("engagement_rate_by_followers_median_30p", -1, 0.01),  # under the low end for 10-100K (SocialCrawl, Modash)
    ),
    "bought_likes": (
        ("comments_per_like_median_30p", -1, 0.02),  # healthy: 2 to 5 comments per 100 likes (SpendVet)
        ("like_rate_by_followers_median_30p", 1, 0.0261),  # high for 10-50K is above 2.61 % (Modash)
        ("likes_without_comments_max_z_all", 1, 3.0),  # three sigma, the usual rule for an outlier
    ),
    "bought_views": (
        ("like_rate_by_views_median_30p", -1, 0.0234),  # medians of 2.34 to 5.52 % (SocialCrawl 2026)
        ("view_rate_by_followers_median_30p", 1, 1.0),  # only 7 % exceed 100 % views over subscribers (Nox)
        ("views_without_likes_max_z_all", 1, 3.0),
    ),
    "comment_bots": (
        ("comments_per_like_median_30p", 1, 0.05),
        ("comments_without_likes_max_z_all", 1, 3.0),
        ("comment_generic_share_all", 1, 0.5),  # "half" of comments are inauthentic where it is bad (ion.co)
    ),
    "engagement_pods": (
        ("comments_per_like_median_30p", 1, 0.05),
        ("comment_first_hour_share_all", 1, 0.5),  # pods react within the first hour
        ("comment_author_returns_share_all", 1, 0.5),
    ),
}


def rule_scores(signals: pd.DataFrame, head: str) -> pd.Series:
    """Part of the rules that are met, of those whose signal is known; 0 where none is.

    Parameters
    ----------
    signals : DataFrame
        As `features.signals.compute_signals` returns it.
    head : str

    Returns
    -------
    Series of float64
        In [0, 1], by creator_id.
    """
    met = []
    for name, side, threshold in _RULES[head]:
        values = signals[name].to_numpy(dtype=np.float64)
        met.append(np.where(np.isnan(values), np.nan, side * values > side * threshold))
    stacked = np.array(met, dtype=np.float64)
    known = np.maximum((~np.isnan(stacked)).sum(axis=0), 1)
    return pd.Series(np.nansum(stacked, axis=0) / known, index=signals.index, name=RULES)
