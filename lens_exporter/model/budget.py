"""How often somebody may be told of an anomaly when nothing is wrong."""

USUAL_PER_WEEK = 1.4
MOST_PER_WEEK = 1000  # beyond it everything would be an anomaly
