"""`python -m lens_exporter`: the same as the command lens-exporter."""

from lens_exporter.cli import main

if __name__ == "__main__":
    main(prog_name="lens-exporter")
