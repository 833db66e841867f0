"""The analysts' page: a shortlist for a brief and the evidence behind each creator, without JavaScript."""
