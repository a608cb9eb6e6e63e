"""A fitted clip on a page of this machine: any instant, part and detail, rendered as it is asked for."""
