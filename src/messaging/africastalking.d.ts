/** The package has no types; these are the few words of it that we use. */
declare module "africastalking" {
  interface BulkSms {
    readonly to: string;
    readonly message: string;
    readonly from?: string;
    readonly enqueue?: boolean;
  }
  function open(options: { readonly username: string; readonly apiKey: string; readonly format?: "json" }): {
    readonly SMS: { send(sms: BulkSms): Promise<unknown> };
  };
  export = open;
}

declare module "africastalking/lib/common.js" {
  /** Read by the package at the moment of each call. */
  const common: { SMS_URL: string };
  export = common;
}
