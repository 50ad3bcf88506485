"""Has the server lost its state? The arithmetic of RFC 6887 8.5 and RFC 6886 3.6."""

# Seconds by which one datagram may be longer under way than another.
UNDER_WAY = 0.1
# An answer may have been on its way for a while: we slept if it was for longer, seconds.
SLEEP = 10
# RFC 6887 14.1.3, RFC 6886 3.2.1: when a restart is announced again, in seconds.
REPETITIONS = tuple(0.25 * (2**number - 1) for number in range(1, 10))


def pcp_epoch_is_valid(
    *,
    previous_epoch_time: int,
    previous_client_time: int,
    epoch_time: int,
    client_time: int,
) -> bool:
    """Tell whether a PCP server's epoch went on as its clock should. RFC 6887 8.5.

    All four are whole seconds: the server's from two answers, and ours (monotonic)
    when they came. The server may go back by one second and drift by a sixteenth.
    """
    if epoch_time < previous_epoch_time - 1:
        return False
    client_delta = client_time - previous_client_time
    server_delta = epoch_time - previous_epoch_time
    return (
        client_delta + 2 >= server_delta - server_delta // 16
        and server_delta + 2 >= client_delta - client_delta // 16
    )


def is_same_count(
    *,
    previous_epoch_time: int,
    previous_client_time: float,
    epoch_time: int,
    client_time: float,
) -> bool:
    """Tell whether two epoch times are of one count, as exactly as they can tell.

    The server's are whole seconds, ours are not. RFC 6887 8.5 lets two seconds pass, and
    a drift: in these a server can have started once more.
    """
    server_delta = epoch_time - previous_epoch_time
    return abs(client_time - previous_client_time - server_delta) < 1 + UNDER_WAY


def is_time_of_repetition(epoch_time: int) -> bool:
    """Tell whether a server that began to count at its restart announces it again then.

    Not while its count is 0: one that has started once more within the second says so.
    """
    return epoch_time > 0 and any(abs(epoch_time - at) <= 1 for at in REPETITIONS)


def nat_pmp_epoch_is_valid(
    *,
    previous_epoch_time: int,
    previous_client_time: int,
    epoch_time: int,
    client_time: int,
) -> bool:
    """Tell whether a NAT-PMP server has kept its state. RFC 6886 3.6.

    All four are whole seconds. Invalid when the server's seconds are more than two
    behind seven eighths of the time that passed here.
    """
    elapsed = client_time - previous_client_time
    return 8 * (epoch_time + 2 - previous_epoch_time) >= 7 * elapsed


def nat_pmp_epoch_runs_ahead(
    *,
    previous_epoch_time: int,
    previous_client_time: int,
    epoch_time: int,
    client_time: int,
) -> bool:
    """Tell whether more time passed for a NAT-PMP server than for us.

    All four are whole seconds. RFC 6886 3.6 looks at the other side only, for there the
    server has lost something. Here it is us: our clock stood still while the machine was
    suspended, and leases that seem to live have run out. An eighth may be drift.
    """
    elapsed = client_time - previous_client_time
    return 7 * (epoch_time - previous_epoch_time) > 8 * (elapsed + SLEEP)
