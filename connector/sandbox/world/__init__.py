"""The made-up world that the stand-ins tell of: people, companies, their interest, and what comes of it."""
