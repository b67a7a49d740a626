"""`python -m lens_exporter`: the same as the command lens-exporter."""

from lens_exporter.cli import main

main(prog_name="lens-exporter")
