// Bytes as a hex dump: offset, 16 bytes, and their printable ASCII characters.

const WIDTH = 16;

export function dump(bytes: Uint8Array, most: number): string {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, most); at += WIDTH) {
    const row = [...bytes.subarray(at, Math.min(at + WIDTH, most))];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(WIDTH * 3 - 1)}  ${text}`);
  }
  return lines.join("\n");
}
