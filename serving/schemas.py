"""What goes into the endpoint and what comes out of it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from serving.briefs import LONGEST_BRIEF, Wishes
from serving.catalogue import Filters, Platform, SharedCount
from serving.problems import Problem
from serving.words import Language

#: Histories of one request.
MOST_HISTORIES = 100
#: Histories of one job; a body of this size is reached first where they are long.
MOST_JOB_HISTORIES = 5_000
#: Rows of one table of one history: two thousand posts a year for five years, and their comments.
MOST_POSTS, MOST_SNAPSHOTS, MOST_COMMENTS, MOST_ACCOUNTS = 10_000, 20_000, 100_000, 100_000
#: Creators that one answer ranks.
MOST_RANKED = 200


def _refuse_numbers(value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        message = "a time is an ISO 8601 text, such as 2026-01-31T18:00:00Z: a number has no unit"
        raise ValueError(message)
    return value


def _as_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


Time = Annotated[datetime, BeforeValidator(_refuse_numbers), AfterValidator(_as_utc)]
#: Above any count of any platform, and far inside 64 bits.
Count = Annotated[int, Field(ge=0, le=10**15, strict=True)]
Money = Annotated[float, Field(ge=0, le=1e12, strict=True)]
Fraction = Annotated[float, Field(ge=0, le=1, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Id = Annotated[str, Field(min_length=1, max_length=200)]
Short = Annotated[str, Field(max_length=500)]
Long = Annotated[str, Field(max_length=20_000)]
Asked = Annotated[Language | None, Field(description="Where left out, the one of Accept-Language, else English.")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, protected_namespaces=())


class CreatorIn(_Model):
    """A row of the creators table."""

    creator_id: Id
    platform: Platform
    followers: Count | None
    handle: Short | None = None
    display_name: Short | None = None
    bio: Long | None = None
    language: Short | None = None
    country: Short | None = None
    niche: Short | None = None
    following: Count | None = None
    posts_count: Count | None = None
    is_verified: Flag | None = None
    is_business: Flag | None = None
    created_at: Time | None = None
    observed_at: Time | None = None
    price_per_post: Money | None = None
    currency: Short | None = None
    barter_ok: Flag | None = None


class PostIn(_Model):
    """A row of the posts table; several observations of one post are several rows."""

    post_id: Id
    published_at: Time
    likes: Count | None
    comments: Count | None
    observed_at: Time | None = None
    kind: Literal["photo", "carousel", "video", "short", "story", "live", "text"] | None = None
    caption: Long | None = None
    views: Count | None = None
    shares: Count | None = None
    saves: Count | None = None
    is_sponsored: Flag | None = None
    sponsor: Short | None = None
    creator_id: Id | None = None


class SnapshotIn(_Model):
    """A row of the snapshots table."""

    observed_at: Time
    followers: Count | None
    following: Count | None = None
    posts_count: Count | None = None
    total_views: Count | None = None
    creator_id: Id | None = None


class CommentIn(_Model):
    """A row of the comments table; authors are pseudonyms."""

    post_id: Id
    author_id: Id
    published_at: Time
    text: Long | None
    comment_id: Id | None = None
    likes: Count | None = None
    creator_id: Id | None = None


class AccountIn(_Model):
    """A row of the audience table."""

    account_id: Id
    relation: Literal["follower", "liker", "commenter"] | None = None
    platform: Platform | None = None
    followers: Count | None = None
    following: Count | None = None
    posts_count: Count | None = None
    bio_length: Count | None = None
    username_length: Count | None = None
    username_digits: Count | None = None
    has_picture: Flag | None = None
    is_private: Flag | None = None
    is_verified: Flag | None = None
    is_business: Flag | None = None
    has_external_url: Flag | None = None
    creator_id: Id | None = None


class History(_Model):
    """The tables of one creator; `creator_id` of a row is that of the creator, and may be left out."""

    creator: CreatorIn
    posts: Annotated[list[PostIn], Field(max_length=MOST_POSTS)]
    snapshots: Annotated[list[SnapshotIn], Field(max_length=MOST_SNAPSHOTS)] = []
    comments: Annotated[list[CommentIn], Field(max_length=MOST_COMMENTS)] = []
    audience: Annotated[list[AccountIn], Field(max_length=MOST_ACCOUNTS)] = []

    @model_validator(mode="after")
    def _rows_are_of_the_creator(self) -> Self:
        tables: dict[str, Sequence[PostIn | SnapshotIn | CommentIn | AccountIn]] = {
            "posts": self.posts,
            "snapshots": self.snapshots,
            "comments": self.comments,
            "audience": self.audience,
        }
        for name, rows in tables.items():
            for position, row in enumerate(rows):
                if row.creator_id not in (None, self.creator.creator_id):
                    message = f"{name}.{position}.creator_id is {row.creator_id!r}, not that of the creator"
                    raise ValueError(message)
        return self


_EXAMPLE_HISTORY: dict[str, JsonValue] = {
    "creator": {
        "creator_id": "c1",
        "platform": "instagram",
        "handle": "linh.skin",
        "followers": 23_400,
        "observed_at": "2026-01-09T00:00:00Z",
    },
    "posts": [
        {
            "post_id": "p1",
            "published_at": "2026-01-05T11:00:00Z",
            "observed_at": "2026-01-09T00:00:00Z",
            "likes": 812,
            "comments": 34,
            "caption": "Serum mới",
        },
    ],
    "snapshots": [
        {"observed_at": "2026-01-01T00:00:00Z", "followers": 22_900},
        {"observed_at": "2026-01-09T00:00:00Z", "followers": 23_400},
    ],
}
_EXAMPLE_HISTORIES: dict[str, JsonValue] = {"histories": [_EXAMPLE_HISTORY], "as_of": "2026-01-10T00:00:00Z"}


def _require_distinct(histories: Sequence[History]) -> None:
    seen: dict[str, int] = {}
    for position, history in enumerate(histories):
        first = seen.setdefault(history.creator.creator_id, position)
        if first != position:
            message = f"histories.{position} and histories.{first} have the same creator_id"
            raise ValueError(message)


class _Histories(_Model):
    as_of: Time | None = Field(
        default=None,
        description=(
            "Nothing known later is used; a row without observed_at is known from now. Where as_of is left out, it is "
            "when the latest row was observed."
        ),
    )
    checks: Flag = Field(
        default=True,
        description="Whether flags are checked by taking rows away. That takes a tenth of a second for a flagged "
        "creator; without it, `checked` is empty and everything else is the same.",
    )
    language: Asked = None


class ScoreRequest(_Histories):
    """Histories to score, at most 100."""

    model_config = ConfigDict(title="ScoreRequest", json_schema_extra={"example": _EXAMPLE_HISTORIES})

    histories: Annotated[list[History], Field(min_length=1, max_length=MOST_HISTORIES)]

    @model_validator(mode="after")
    def _creators_are_distinct(self) -> Self:
        _require_distinct(self.histories)
        return self


class JobRequest(_Histories):
    """Histories to score in the background, at most 5,000; what /score takes, and more of it."""

    model_config = ConfigDict(title="JobRequest", json_schema_extra={"example": _EXAMPLE_HISTORIES})

    histories: Annotated[list[History], Field(min_length=1, max_length=MOST_JOB_HISTORIES)]

    @model_validator(mode="after")
    def _creators_are_distinct(self) -> Self:
        _require_distinct(self.histories)
        return self


class RecommendRequest(_Model):
    """A brief, which creators it asks for, and how many."""

    model_config = ConfigDict(
        title="RecommendRequest",
        json_schema_extra={
            "example": {
                "brief": "Tìm reviewer mỹ phẩm cho da dầu, serum dưỡng ẩm",
                "filters": {"platforms": ["instagram", "tiktok"], "tiers": ["micro"], "min_authenticity": 0.7},
                "wishes": {"roles": ["reviewer"], "competitors": ["The Face Shop"], "must_not_words": ["giảm cân"]},
                "k": 10,
                "language": "vi",
            }
        },
    )

    brief: Annotated[str, Field(max_length=LONGEST_BRIEF)]
    filters: Filters = Filters()
    wishes: Wishes = Wishes()
    k: Annotated[int, Field(ge=1, le=MOST_RANKED, strict=True)] = 20
    language: Asked = None


class LookalikesRequest(_Model):
    """Creators of the catalogue whose like is looked for."""

    model_config = ConfigDict(
        title="LookalikesRequest",
        json_schema_extra={"example": {"creator_ids": ["c1"], "filters": {"tiers": ["micro"]}, "k": 10}},
    )

    creator_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_HISTORIES)]
    filters: Filters = Field(
        default=Filters(), description="Where it names no min_authenticity, creators that are doubted are left out."
    )
    k: Annotated[int, Field(ge=1, le=MOST_RANKED, strict=True)] = 20
    language: Asked = None


class FitRequest(_Model):
    """A brief, and either creators of the catalogue or histories that it is held against."""

    model_config = ConfigDict(
        title="FitRequest",
        json_schema_extra={"example": {"brief": "Serum dưỡng ẩm cho da dầu", "creator_ids": ["c1", "c2"]}},
    )

    brief: Annotated[str, Field(max_length=LONGEST_BRIEF)]
    wishes: Wishes = Wishes()
    creator_ids: Annotated[list[Id], Field(max_length=MOST_HISTORIES)] = []
    histories: Annotated[list[History], Field(max_length=MOST_HISTORIES)] = []
    as_of: Time | None = Field(default=None, description="Of the histories; as for /score.")
    language: Asked = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.creator_ids) == bool(self.histories):
            message = "give either creator_ids of the catalogue or histories"
            raise ValueError(message)
        _require_distinct(self.histories)
        return self


class DecisionIn(_Model):
    """A row of the decisions table: what a brand made of a creator who was shown to it."""

    brand_id: Id
    creator_id: Id
    decided_at: Time
    decision: Literal["yes", "maybe", "no"]
    position: Count | None = Field(default=None, description="Place in the list that was shown, from 1.")


class CollaborationIn(_Model):
    """A row of the collaborations table: what came of working together."""

    brand_id: Id
    creator_id: Id
    started_at: Time
    post_ids: Long | None = Field(default=None, description="Ids of the posts, separated by spaces.")
    price: Money | None = None
    currency: Short | None = None
    impressions: Count | None = None
    engagements: Count | None = None
    clicks: Count | None = None
    conversions: Count | None = None
    outcome: Short | None = None


#: Rows of each kind that one request leaves.
MOST_FEEDBACK = 1_000


class FeedbackRequest(_Model):
    """Decisions and outcomes, to learn from."""

    model_config = ConfigDict(
        title="FeedbackRequest",
        json_schema_extra={
            "example": {
                "decisions": [
                    {
                        "brand_id": "b1",
                        "creator_id": "c1",
                        "decided_at": "2026-01-12T09:30:00Z",
                        "decision": "yes",
                        "position": 1,
                    }
                ]
            }
        },
    )

    decisions: Annotated[list[DecisionIn], Field(max_length=MOST_FEEDBACK)] = []
    collaborations: Annotated[list[CollaborationIn], Field(max_length=MOST_FEEDBACK)] = []

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.decisions and not self.collaborations:
            message = "give decisions, collaborations or both"
            raise ValueError(message)
        return self


class FeedbackResponse(BaseModel):
    """What was written."""

    decisions: int
    collaborations: int


class ModelInfo(_Model):
    """The model behind a score."""

    name: str | None
    version: str | None
    data: str = Field(description="What it was trained on; `simulated` for simulated creators.")


class Estimate(_Model):
    """A probability with its interval; null where it could not be assessed."""

    probability: Fraction | None
    low: Fraction | None
    high: Fraction | None


class HeadReport(Estimate):
    """One kind of manipulation: the probability that the history shows it."""

    head: str
    words: str
    flagged: bool | None = Field(description="Above the shipped threshold; null where not assessed.")
    assessed: bool
    reason: str = Field(description="Why it was not assessed; empty where it was.")


class EvidenceRow(_Model):
    """A post, day, comment or account to look at; `at` is when it was published, or the day."""

    events: Literal["posts", "days", "comments", "accounts"]
    id: str | None
    at: datetime | None


class Evidence(_Model):
    """A group of signals behind a head, spoken for by its strongest signal, with the rows to look at, strongest first.

    `group` and what belongs to it is null in catalogues that were scored before signals were grouped; `percentile` also
    where no peers were given.
    """

    head: str
    group: str | None = Field(description="What its signals measure together, as the registry calls it.")
    group_words: str
    signals: int | None = Field(description="How many signals of the group speak for the head.")
    signal: str
    words: str
    value: float | None
    unit: str
    window: str = Field(description="The part of the history that the signal was computed from, in words.")
    typical_low: float | None = Field(
        description="Of the middle 90 % of peers where peers were given; else of the middle 80 % of the creators "
        "without manipulation whom the model was trained on."
    )
    typical_high: float | None
    percentile: int | None = Field(description="Of the value among peers, 1 to 99.")
    peers: int | None = Field(description="How many peers have the signal.")
    peers_words: str
    rows: list[EvidenceRow]


class CheckedEvidence(_Model):
    """What was taken away from the history to see whether a flag stands on it."""

    head: str
    words: str
    events: Literal["posts", "days", "comments"]
    rows: list[EvidenceRow] = Field(description="In order of time; a day's gain of followers is made the usual one.")
    probability: Fraction = Field(description="The head's, by the creator's own history alone.")
    probability_without: Fraction = Field(description="The same without the rows.")
    suffices: bool = Field(description="Whether at least half of what is above the base rate goes with the rows.")


class InauthenticShare(_Model):
    """The part of a count that is estimated to be manufactured; null where it could not be estimated."""

    count: SharedCount
    share: Fraction | None
    low: Fraction | None
    high: Fraction | None


class Coverage(_Model):
    """What the history holds."""

    posts: int | None
    days: int | None


class Report(_Model):
    """What is said of one creator. `authenticity` is a probability, high = authentic."""

    creator_id: str
    platform: str
    followers: int | None
    tier: str | None
    authenticity: Estimate
    heads: list[HeadReport]
    inauthentic_shares: list[InauthenticShare]
    authentic_followers: int | None = Field(description="Followers less those estimated to be manufactured.")
    evidence: list[Evidence] = Field(description="The strongest first.")
    checked: list[CheckedEvidence] = Field(description="Of flagged heads: without which rows they would not be.")
    coverage: Coverage
    growth_28d: float | None = Field(description="Change of followers in 28 days, as a share of followers.")
    as_of: datetime | None


class _Answer(_Model):
    simulated: bool = Field(description="Whether a model behind a score was trained on simulated creators.")
    notice: str = Field(description="To be shown wherever a score is shown.")


class ScoreResponse(_Answer):
    """One report a history, in the order of the request."""

    reports: list[Report]
    model: ModelInfo


class Fit(_Model):
    """How a creator suits a brief, and the reasons."""

    creator_id: str
    platform: str
    handle: str | None
    display_name: str | None
    followers: int | None
    tier: str | None
    niche: str | None
    authenticity: Estimate
    assessed: bool = Field(description="Where false, the place assumes the base rate of authenticity.")
    fit: Fraction | None = Field(
        description="How well the creator suits the brief: likeness of texts times the part of the wishes that is met, "
        "or what the fit model tells; null where it cannot be told."
    )
    score: Fraction
    reasons: list[str]
    as_of: datetime | None
    model: ModelInfo


class Ranked(Fit):
    """A creator's place for a brief and the reasons."""

    rank: int


class ReadValue(_Model):
    """One thing that was read from the words of a brief."""

    field: str
    value: str | int
    words: str = Field(description="Of the brief, as it writes them.")


class CreatorResponse(_Answer):
    """Report of a creator of the catalogue."""

    report: Report
    model: ModelInfo


class _ReadBrief(_Answer):
    note: str = Field(description="How the brief was read, and why there is no fit where there is none; in words.")
    niches: list[str] = Field(description="Niches that were read from the brief, the strongest first.")
    read: list[ReadValue] = Field(description="Filters and wishes that were read from the words of the brief.")
    fit_model: str = Field(description="Version of the fit model, or prior.")
    warnings: list[str]


class RecommendResponse(_ReadBrief):
    """Creators of the catalogue for a brief, best first."""

    creators: list[Ranked]
    candidates: int = Field(description="Creators that passed the filters.")


class FitResponse(_ReadBrief):
    """How well creators suit a brief, in the order of the request."""

    creators: list[Fit]


class JobResponse(_Model):
    """How far a job is."""

    id: str
    state: Literal["waiting", "running", "done"]
    histories: int
    scored: int = Field(description="Histories that have a report.")
    refused: int = Field(description="Histories that could not be read; the result says why, each in its line.")
    received_at: Time
    finished_at: Time | None
    as_of: Time
    kept_until: Time = Field(description="When it and its result are erased; DELETE does so at once.")


class JobsResponse(_Model):
    """Jobs that are kept, the newest first."""

    jobs: list[JobResponse]


class JobLine(_Model):
    """A line of a result: the report of one history, or what was wrong with it."""

    index: int = Field(description="Place of the history in the request, from 0.")
    creator_id: str
    report: Report | None
    problem: Problem | None = Field(description="Why there is no report; its paths begin at the history.")
    model: ModelInfo | None
    simulated: bool | None
    notice: str


class VersionInfo(_Model):
    """A model in use, or why there is none."""

    name: str
    version: str | None
    trouble: str = Field(description="Why there is none, or why a later one was refused; empty where all is well.")


class VersionsResponse(_Model):
    """What answers are made with at this moment."""

    realreach: str
    models: list[VersionInfo]
    signals: str = Field(description="Digest of the signals that are computed; a model fits only one.")
    creators: int = Field(description="Of the catalogue.")
    catalogue_trouble: str
