"""What the simulated world is calibrated to, per platform, each figure with its source.

"Measured" figures were computed on public sets: Instagram posts of Indonesian creators (2020), Instagram posts of
ordinary users (Akyon & Kalfaoglu 2019) and of Italian accounts (2020), YouTube channels of French creators (2026),
TikTok videos of Vietnamese creators (2025), Facebook posts of Thai sellers (UCI, 2018). "Assumed" figures nobody
measured; they are what the field takes for granted.
"""

from dataclasses import dataclass

import numpy as np

from features.tables import POST_KINDS


@dataclass(frozen=True)
class PlatformNorms:
    """How posts and audiences of a platform behave. Rates are natural logarithms unless a unit says otherwise.

    Attributes
    ----------
    share : float
        Part of the simulated creators. Assumed.
    reach : float
        Median views (or impressions, where views are not shown) over followers at 30,000 followers.
    reach_slope, reach_sd : float
        Change of log reach per followers with log followers; sd between creators.
    likes : float
        Median likes over views. `likes_sd` between creators, `likes_noise` between a creator's posts.
    comments, comments_sd : float
        Median comments over likes; sd of its logarithm between creators.
    talk_share : float
        Part of the posts that ask for comments.
    spread, spread_sd : float
        Median over creators of the sd of log reach between a creator's posts; sd of its logarithm.
    drift, likes_drift : float
        sd of the slow wandering of a creator's log reach and log likes per view.
    trend, trend_sd : float
        Change of a creator's log reach per followers a year; sd between creators.
    viral : float
        Part of the posts whose reach is multiplied by a Pareto factor.
    half_life : float
        Days h in which a post collects half of its engagement; age / (age + h) of it is there at an age.
    posts_a_week, gap_spread : float
        Median over creators; sd of the logarithm of the gaps between a creator's posts.
    regular : float
        How strongly creators prefer weekdays of their own. Assumed, so that entropies come out as measured.
    gains, losses : float
        Followers won and lost, medians, per month and follower, at 30,000 followers.
    kinds : mapping of str to float
        Median share of each kind of post.
    """

    share: float
    reach: float
    reach_slope: float
    reach_sd: float
    likes: float
    likes_sd: float
    likes_noise: float
    comments: float
    comments_sd: float
    talk_share: float
    spread: float
    spread_sd: float
    drift: float
    likes_drift: float
    trend: float
    trend_sd: float
    viral: float
    half_life: float
    posts_a_week: float
    gap_spread: float
    regular: float
    gains: float
    losses: float
    kinds: dict[str, float]


#: In the order of `features.tables.PLATFORMS`.
#:
#: instagram: likes and comments / followers of 10–50k about .02–.03 (Italian accounts, measured: .032; HypeAuditor:
#: .016), log-log slope -.16 with residual sd .73 (measured), reach / followers .157 (The Cirqle); comments / likes .022
#: and .052 (two samples, measured); within-account log-likes sd .33 (ordinary users) to .70 (large creators, measured);
#: half-life 19 h (Graffius); trend of log likes +.24 a year (ordinary users) and -.11 with quartiles -1.0 and .7 (large
#: creators, measured); growth -.5 to 2 % a month, 2–5 posts a week (startmotionmedia).
#: tiktok: likes / views .053, quartiles .033 and .082, comments / likes .011 (.006–.021), log likes / views sd within a
#: creator .23, log-likes sd .56–.65 (measured); reach / followers assumed so that engagement over followers lies
#: between the 1.3 % (Influencer Hero, median) and 8.7 % (Archive, micro); videos of 2, 5 and 10 days had 1.70, 1.30 and
#: 1.13 times the views 11 days later: half-life 2.2 d (measured).
#: youtube: views / subscribers .28 at 10–30k, .15 at 30–100k, sd about 1; likes / views .025 (.016–.037), comments /
#: likes .057 (.027–.107), log likes / views sd .34–.5, log-likes sd .75, growth .8 % a month with a 95 % point of 10 %
#: (measured); 5,860 views at 50–100k (Nox, median); videos of half a day, 2 and 10 days had 3.4, 1.59 and 1.05 times
#: the views a week later: half-life 1.6 d (measured; 6 d in Graffius); log likes fall by 1.8 a year towards the newest
#: videos, and reach and likes per view shift (measured: half of it is put into the trend).
#: facebook: comments / likes .06, log-likes sd .8, half of all gaps under a day (measured); levels assumed between the
#: .06–.15 % of brand pages (Rival IQ, Socialinsider) and Instagram's.
NORMS: tuple[PlatformNorms, ...] = (
    PlatformNorms(
        share=0.38, reach=0.24, reach_slope=-0.16, reach_sd=0.60, likes=0.085, likes_sd=0.35, likes_noise=0.20,
        comments=0.025, comments_sd=0.75, talk_share=0.03, spread=0.36, spread_sd=0.35, drift=0.12, likes_drift=0.10,
        trend=0.0, trend_sd=0.45, viral=0.004, half_life=0.8, posts_a_week=3.0, gap_spread=0.95, regular=0.15,
        gains=0.014, losses=0.007, kinds={"photo": 0.42, "carousel": 0.23, "short": 0.30, "video": 0.05},
    ),
    PlatformNorms(
        share=0.32, reach=0.55, reach_slope=-0.20, reach_sd=0.85, likes=0.053, likes_sd=0.50, likes_noise=0.25,
        comments=0.012, comments_sd=0.75, talk_share=0.01, spread=0.44, spread_sd=0.30, drift=0.20, likes_drift=0.12,
        trend=0.0, trend_sd=0.40, viral=0.010, half_life=2.2, posts_a_week=4.0, gap_spread=1.00, regular=0.20,
        gains=0.026, losses=0.007, kinds={"short": 0.90, "carousel": 0.10},
    ),
    PlatformNorms(
        share=0.15, reach=0.18, reach_slope=-0.30, reach_sd=0.85, likes=0.028, likes_sd=0.45, likes_noise=0.30,
        comments=0.060, comments_sd=0.80, talk_share=0.005, spread=0.46, spread_sd=0.30, drift=0.50, likes_drift=0.30,
        trend=-0.9, trend_sd=0.90, viral=0.008, half_life=1.6, posts_a_week=1.7, gap_spread=1.20, regular=0.35,
        gains=0.012, losses=0.001, kinds={"video": 0.70, "short": 0.30},
    ),
    PlatformNorms(
        share=0.15, reach=0.16, reach_slope=-0.20, reach_sd=0.90, likes=0.035, likes_sd=0.50, likes_noise=0.30,
        comments=0.060, comments_sd=0.85, talk_share=0.03, spread=0.56, spread_sd=0.30, drift=0.25, likes_drift=0.15,
        trend=0.0, trend_sd=0.50, viral=0.006, half_life=0.6, posts_a_week=5.0, gap_spread=1.25, regular=0.20,
        gains=0.009, losses=0.004, kinds={"photo": 0.52, "video": 0.23, "short": 0.10, "text": 0.15},
    ),
)  # fmt: skip


def norm(name: str) -> np.ndarray:
    """One attribute of `NORMS` as float64 of shape (platforms,)."""
    return np.array([getattr(norms, name) for norms in NORMS], dtype=np.float64)


def kind_shares() -> np.ndarray:
    """Share of each of `POST_KINDS` on each platform, float64 of shape (platforms, kinds)."""
    return np.array([[norms.kinds.get(kind, 0.0) for kind in POST_KINDS] for norms in NORMS])


#: What a kind of post adds to log reach, log likes per view and the log spread (assumed, except that French YouTube
#: shorts reach and spread further than videos, measured), in the order of `POST_KINDS`.
KIND_REACH = {"photo": 0.0, "carousel": 0.10, "video": 0.05, "short": 0.25, "text": -0.35}
KIND_LIKES = {"photo": 0.10, "carousel": 0.05, "video": -0.10, "short": -0.10, "text": 0.0}
KIND_SPREAD = {"photo": 0.0, "carousel": 0.0, "video": 0.10, "short": 0.25, "text": 0.10}
#: Kinds whose views are public; photos show none.
KINDS_WITH_VIEWS = ("video", "short")

#: log likes against log followers beyond reach: none. Comments grow slower than likes (assumed: elasticity .9), and
#: scatter around their mean as a negative binomial of dispersion k given the likes; with the likes' own spread the
#: unconditional k is .88 (quartiles .48–1.65, ordinary users, measured) and .65–.73 (creators, measured), and
#: correlations of log likes and log comments are .36 (ordinary users) to .72–.79 (creators, measured).
COMMENT_ELASTICITY, COMMENT_K, COMMENT_K_SD = 0.90, 10.0, 0.6

#: Some posts ask for comments (questions, quizzes, debates), with a long tail. The largest comment count
#: of a creator is 14 times the median (quartiles 8 and 32, large creators, measured). The rate of comments wanders.
TALK_TAIL, TALK_DRIFT = 0.9, 0.20

#: Creators differ in how regular they are: sd of the logarithm of `gap_spread` (assumed). Coefficients of variation of
#: gaps come out near the measured medians: Instagram .99, YouTube 1.37, Facebook 1.85, ordinary users 1.48.
GAP_SPREAD_SD = 0.25
#: Days within which reach, likes per view and comments per like wander (assumed).
DRIFT_DAYS = 45.0

#: Share of posts by weekday, Monday first: mean of ordinary users (13.3 … 18.5 %, measured) and creators (13.4, 13.4,
#: 13.7, 14.5, 15.7, 15.0, 14.3 %, measured).
WEEKDAYS = np.array([0.134, 0.128, 0.130, 0.143, 0.147, 0.157, 0.161])
#: Share of posts by local hour: Vietnamese TikTok and Indonesian Instagram in local time, averaged (measured).
HOURS = np.array([
    0.008, 0.006, 0.005, 0.005, 0.009, 0.016, 0.027, 0.037, 0.044, 0.050, 0.052, 0.058,
    0.057, 0.053, 0.049, 0.054, 0.064, 0.076, 0.086, 0.086, 0.067, 0.046, 0.031, 0.014,
])  # fmt: skip

#: Posts paid for: 5–20 % of a creator's posts (assumed); they earn 11 % less engagement (CampaignDeus 2018).
SPONSORED_SHARE, SPONSORED_EFFECT = (0.05, 0.20), np.log(0.89)


def by_kind(values: dict[str, float]) -> np.ndarray:
    """Figures of `KIND_REACH` and its like in the order of `POST_KINDS`."""
    return np.array([values.get(kind, 0.0) for kind in POST_KINDS])
