"""Exports of platforms, and any CSV, JSON or Parquet file, become tables by a mapping file.

A mapping is a TOML file that says which column of which file is which column of the contract (`features.tables`), and
how its values are written. `realreach import NAME PATH... --out DIR` uses a mapping that is shipped beside this file,
`--mapping FILE` one of your own. A mapping in full::

    id_prefix = "shop:"                 # before every id, so that two sources never share one
    timezone = "Asia/Ho_Chi_Minh"       # of times without a zone: an IANA name or an offset such as "+07:00"

    [source]                            # for people: shown with the import
    title = "What the shop's export is"
    terms = "who may use it"
    approximated = ["what is not in the file and was assumed"]

    [[creators]]
    files = "posts*.csv"                # one pattern or a list; every readable file where left out
    on_conflict = { keep = "latest", because = "one row a creator, as last seen" }
    [creators.columns]
    creator_id = "account"              # the column of that name, read by the type that the contract gives it
    followers = "fans"                  # 541.2K, 1.4M, 12,345, 33 500, 1,2 Tr; see features.sources.values
    platform = { constant = "tiktok" }
    observed_at = "seen"

    [[posts]]                           # again with other files or columns: their rows are added
    files = "posts*.csv"
    unknown = ["comments"]              # required columns that this source cannot know
    [posts.drop_empty]                  # rows without a value there are left out; the import says how many and why
    likes = "deleted before it was seen"
    [posts.columns]
    creator_id = "account"
    post_id = "id"
    published_at = { column = "posted", format = ["%m/%d/%Y %H:%M", "%m/%d/%y %H:%M"] }
    observed_at = { latest_of = "posts.published_at" }     # where no file says when the counts were seen
    likes = { column = "hearts", empty = ["hidden"] }      # written for "unknown", beside the usual N/A and -
    caption = { column = "text", hashtags = "tags" }       # tags are appended as #words
    kind = { column = "length", by_duration = [{ upto = 60, is = "short" }, { is = "video" }] }

What else a column takes: `values = { GraphImage = "photo" }` with `otherwise = "error" | "keep" | "null"`, `first_entry
= true` for lists such as "['Food', 'Cooking']", `timezone`, `format` and `unit` ("s", "ms", "us"; epochs are told by
their digits otherwise) for times, `decimal = ","`. A day without a clock is its midnight, as `observed_at` its last
second; `days_later = 6` where the file says when a week began and means its end. `filled = true` makes a flag that is
true where anything stands. `changes = true` is for counts of snapshots of which the file has only the changes: they are
summed, from the lowest start at which no count is negative and rounded counts end in zeros. `hidden_as_zero = { column
= "view_count", least = 200 }` is for a count that is written as 0 where it is hidden: beside so many of another count
of the row it is unknown. Ids take `same_as = {
column = "username", where = { is_owner = "1" } }`: such rows show the other name that an id goes by, and it gets that
name in every row of the file.

The whole file takes `timezone`, `decimal`, `empty`, `separator` and `encoding` of CSV files, and `without = ["posts"]`
where the source has no posts at all; a part takes `records`, the key of a JSON file under which its rows lie.
`on_conflict` decides between rows of one key that differ: `first` or `last` in the files, `max` of each count (known
since the last of them was seen), or `latest` (each column's last known value in the order of `observed_at`). Without it
such rows are an error.
"""
