"""Runtime domains: what each publishes, what a watcher tracks of it, what an investigator may ask. Import from the files."""
