"""Stand-ins for the outside world: a CRM, an e-mail tool, a chat and a language model, each a process of its own.

They speak the vendors' wire formats and share no code with the adapters and bots they stand in for, so that they are an
independent judge of them. Nothing here is used when Leadswitch runs on real accounts. All state is in memory and made-up.
"""
