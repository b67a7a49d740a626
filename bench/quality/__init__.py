"""How good detection is, measured on public data: data, scorers, bootstrap, peers, tables."""
