"""From a configuration to the parts that follow it. Import from the files."""
