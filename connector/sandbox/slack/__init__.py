"""A Slack-shaped workspace: its Web API, the requests it signs and sends to an app, and a desk to act in it by hand."""
