"""What `leadswitch connections new` lays down: a small adapter that passes the contract suite, to be made the vendor's own."""
