//! A WebM file with Opus packets of 20 ms, as a live recorder writes it: nothing knows its size.

/// An element that ends where the next of its kind begins.
const UNKNOWN: [u8; 8] = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
/// Packets in a cluster: 5 s.
const IN_CLUSTER: usize = 250;
const PACKET_MS: usize = 20;

/// The file; the decoder drops `pre_skip` samples at its start.
pub fn written(packets: &[Vec<u8>], pre_skip: u16) -> Vec<u8> {
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend(pre_skip.to_le_bytes());
    head.extend(48_000_u32.to_le_bytes());
    head.extend([0, 0, 0]);
    let delay_ns = u64::from(pre_skip) * 1_000_000 / 48;
    let track = [
        element(&[0xD7], &[1]), // its number
        element(&[0x83], &[2]), // audio
        element(&[0x86], b"A_OPUS"),
        element(&[0x56, 0xAA], &delay_ns.to_be_bytes()),
        element(&[0x63, 0xA2], &head),
        element(&[0xE1], &element(&[0x9F], &[1])), // one channel
    ]
    .concat();
    let mut file = element(&[0x1A, 0x45, 0xDF, 0xA3], &element(&[0x42, 0x82], b"webm"));
    file.extend([0x18, 0x53, 0x80, 0x67]);
    file.extend(UNKNOWN);
    file.extend(element(
        &[0x16, 0x54, 0xAE, 0x6B],
        &element(&[0xAE], &track),
    ));
    for (cluster, packets) in packets.chunks(IN_CLUSTER).enumerate() {
        file.extend([0x1F, 0x43, 0xB6, 0x75]);
        file.extend(UNKNOWN);
        let ms = (cluster * IN_CLUSTER * PACKET_MS) as u64;
        file.extend(element(&[0xE7], &ms.to_be_bytes()));
        for (index, packet) in packets.iter().enumerate() {
            let ms = u16::try_from(index * PACKET_MS).expect("at most 5 s");
            let mut block = vec![0x81];
            block.extend(ms.to_be_bytes());
            block.push(0x80);
            block.extend(packet);
            file.extend(element(&[0xA3], &block));
        }
    }
    file
}

fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).expect("small elements") | 0x1000_0000;
    [id, &size.to_be_bytes(), content].concat()
}
