"""Who gets a lead: gates, then a fair pick, with a record that replays. Pure: no clock, database, network or hidden chance."""
