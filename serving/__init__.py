"""Scored creators for people and programs: the catalogue, its ranking, the endpoint and the review page."""
