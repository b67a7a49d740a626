"""The dashboards of dashboards/*.json, written by `make dashboards`. Not part of the package."""
