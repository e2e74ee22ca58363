"""The demo's stage: starting the stand-ins and the service, watching them, and judging the outcome."""
