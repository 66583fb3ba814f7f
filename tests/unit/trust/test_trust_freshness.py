import pytest

from sentienguard.trust import freshness


def entropy(n: int) -> bytes:
    return n.to_bytes(16, "big")


def test_a_nonce_is_redeemed_once():
    book = freshness.NonceBook()
    nonce = book.issue(100.0, entropy(1))
    book.redeem(nonce, 130.0)
    with pytest.raises(freshness.NotFresh):
        book.redeem(nonce, 130.0)


@pytest.mark.parametrize(("age_s", "accepted"), [(0, True), (60, True), (60.1, False), (-1, False)])
def test_a_nonce_lives_for_a_minute_of_the_monotonic_clock(age_s, accepted):
    book = freshness.NonceBook()
    nonce = book.issue(100.0, entropy(1))
    if accepted:
        book.redeem(nonce, 100.0 + age_s)
        return
    with pytest.raises(freshness.NotFresh, match="old"):
        book.redeem(nonce, 100.0 + age_s)


def test_a_nonce_refused_for_its_age_cannot_be_tried_again():
    book = freshness.NonceBook()
    nonce = book.issue(100.0, entropy(1))
    with pytest.raises(freshness.NotFresh):
        book.redeem(nonce, 200.0)
    with pytest.raises(freshness.NotFresh, match="not issued"):
        book.redeem(nonce, 110.0)


@pytest.mark.parametrize("nonce", ["", "ab" * 16, "AB", entropy(2).hex()])
def test_a_nonce_of_somebody_else_is_refused(nonce):
    book = freshness.NonceBook()
    book.issue(100.0, entropy(1))
    with pytest.raises(freshness.NotFresh, match="not issued"):
        book.redeem(nonce, 100.0)


def test_another_book_knows_nothing_of_this_one():
    nonce = freshness.NonceBook().issue(100.0, entropy(1))
    with pytest.raises(freshness.NotFresh):
        freshness.NonceBook().redeem(nonce, 100.0)


def test_the_book_forgets_the_oldest_and_stays_small():
    book = freshness.NonceBook()
    nonces = [book.issue(100.0, entropy(n)) for n in range(freshness.MAX_OUTSTANDING + 1)]
    with pytest.raises(freshness.NotFresh):
        book.redeem(nonces[0], 100.0)
    book.redeem(nonces[-1], 100.0)


def test_a_source_of_randomness_that_repeats_itself_is_noticed():
    book = freshness.NonceBook()
    book.issue(100.0, entropy(1))
    with pytest.raises(freshness.NotFresh, match="randomness"):
        book.issue(101.0, entropy(1))


@pytest.mark.parametrize("length", [0, 15, 33])
def test_too_little_or_too_much_entropy_is_a_mistake_of_the_caller(length):
    with pytest.raises(ValueError, match="entropy"):
        freshness.NonceBook().issue(100.0, bytes(length))


def test_a_sequence_number_has_to_rise():
    mark = freshness.SequenceMark().raised_to(5)
    assert mark.highest == 5
    assert mark.raised_to(9).highest == 9
    for seq in (5, 4, 0, -1):
        with pytest.raises(freshness.NotFresh, match="above 5"):
            mark.raised_to(seq)


def test_a_message_cannot_use_up_the_numbers():
    mark = freshness.SequenceMark(7)
    assert mark.raised_to(7 + freshness.MAX_LEAP).highest == 1_000_007
    with pytest.raises(freshness.NotFresh, match="at most 1000007, got 1000008"):
        mark.raised_to(7 + freshness.MAX_LEAP + 1)
