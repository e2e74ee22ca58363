"""One module a kind of request: parse it, call one function of `connector.commands`, answer the person."""
