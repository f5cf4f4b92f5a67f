"""What searches find: the language of `vms.domain.search` over the rows of the database, for REST and pages alike."""
