"""What this program publishes, in OpenTelemetry's terms."""
