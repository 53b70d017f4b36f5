"""What a listener needs, checked one by one before it listens: what is wrong, and what to do.

Every check has a time limit, and no check changes anything: what is written to try it is removed again.
`broker` checks a broker, `page` the page, `sources` what is listened to, `storage` the index and the state
folder, `computer` the clock and the libraries. `examination` runs them.
"""
