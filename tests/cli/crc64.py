"""Pegasus's hash of keys."""


def crc_table(polynomial):
    """Of any reflected CRC."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (polynomial if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc_table(0x9A6C9329AC4BC9B5)


def crc64(data):
    crc = 2**64 - 1
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 2**64 - 1
