import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";

/** Seals device keys at rest with AES-256-GCM: nonce (12) | tag (16) | text, bound to the serial as associated data. */
export interface KeySeal {
  seal(serial: string, key: Uint8Array): Uint8Array;
  /** Throws when the sealed bytes were changed, belong to another serial, or the sealing key is another. */
  open(serial: string, sealed: Uint8Array): Uint8Array;
}

export function makeKeySeal(sealingKey: Uint8Array): KeySeal {
  if (sealingKey.length !== 32) throw new Error("A sealing key has 32 bytes.");
  // Prepared once: from plain bytes OpenSSL prepares it at every call, which made opening a key five times as slow.
  const secret = createSecretKey(sealingKey);
  return {
    seal(serial, key) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", secret, nonce, { authTagLength: 16 });
      cipher.setAAD(Buffer.from(serial));
      const text = Buffer.concat([cipher.update(key), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), text]);
    },
    open(serial, sealed) {
      const decipher = createDecipheriv("aes-256-gcm", secret, sealed.subarray(0, 12), { authTagLength: 16 });
      decipher.setAAD(Buffer.from(serial));
      decipher.setAuthTag(sealed.subarray(12, 28));
      return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]);
    },
  };
}
