"""Each section of the document as blocks of the page: which numbers stand where, in which form."""
