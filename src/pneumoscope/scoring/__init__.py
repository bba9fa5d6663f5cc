"""Scoring: many films from many places into one table, on one machine or a cluster, resumed after any kill."""
