"""Pure functions from creators' histories to signals: tables in, frames out; no network, no clock."""
