import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, randomBytes } from "node:crypto";

/** What keeps a conversation's traces unreadable in the database. */
export interface TalkSeal {
  /** A keyed mark of what was typed: nobody can try all PINs against it without the key. */
  mark(text: string): string;
  /** Bound to its session: moved to another one it does not open. */
  seal(session: string, text: string): Uint8Array;
  /** Throws when the bytes were changed, or belong to another session or key. */
  open(session: string, sealed: Uint8Array): string;
}

/** Keys of its own, drawn from the program's sealing key by HKDF (RFC 5869), so that nothing of one use opens another's. */
export function makeTalkSeal(sealingKey: Uint8Array): TalkSeal {
  const derive = (purpose: string) =>
    Buffer.from(hkdfSync("sha256", sealingKey, new Uint8Array(), `washa ${purpose}`, 32));
  const secret = createSecretKey(derive("talk answers"));
  const marking = derive("talk marks");
  return {
    mark: (text) => createHmac("sha256", marking).update(text).digest("base64url"),
    seal(session, text) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", secret, nonce, { authTagLength: 16 });
      cipher.setAAD(Buffer.from(session));
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    open(session, sealed) {
      const decipher = createDecipheriv("aes-256-gcm", secret, sealed.subarray(0, 12), { authTagLength: 16 });
      decipher.setAAD(Buffer.from(session));
      decipher.setAuthTag(sealed.subarray(12, 28));
      return Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]).toString("utf8");
    },
  };
}
