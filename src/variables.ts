/** What each variable means, for `--help` and the documentation. */
export const VARIABLES: Readonly<Record<string, string>> = {
  DATABASE_URL:
    "PostgreSQL to use, as postgres://user:password@host:5432/database. Default of `start`: an embedded one.",
  REDIS_URL: "Redis for the job queue, as redis://host:6379. Default: the queue lives in PostgreSQL.",
  CLICKHOUSE_URL: "ClickHouse for long history, as http://user:password@host:8123/database. Default: an embedded one.",
  CLICKHOUSE_CLUSTER: "Name of its cluster, to lay tables out over all of its servers. Default: one server.",
  WASHA_HTTP_PORT: "Port of the HTTP doors (4000).",
  WASHA_HTTP_HOST: "Address they listen on (127.0.0.1; 0.0.0.0 in a container).",
  MQTT_URL:
    "Broker to use instead of our own gateway, as mqtt://user:password@host:1883 (mqtts:, ws:, wss: too); see docs/brokers.md for what it can promise.",
  MQTT_CONTROL_URL:
    "The same broker with a user who may control Mosquitto's dynamic-security plugin: device accounts are kept there by this program.",
  WASHA_MQTT_NAME:
    "Name of this process at the broker of MQTT_URL: each its own, the same after every start (the host's name).",
  WASHA_MQTT_SHARED:
    "yes: processes of different names share what the broker of MQTT_URL brings, by a shared subscription; where the broker deals in turn, signed frames come out of order and are refused as replays: see docs/brokers.md. no (the default): each takes all.",
  WASHA_MQTT_TOPICS:
    "Further topic filters to take from the broker of MQTT_URL, separated by commas, such as acme/#. Those of named bridges (below) are asked for without.",
  WASHA_VICTRON_PORTALS:
    "Victron portals and the serials of their devices here, as c0619ab1cd23=LAMP-0001 separated by commas, or a file with one such pair a line; c0619ab1cd23/solarcharger=279 says which of several counts. Not set: their topics are unknown.",
  WASHA_SPARKPLUG_GROUPS:
    "Sparkplug B groups whose edge nodes are believed, separated by commas. Not set: their topics are unknown.",
  WASHA_SIGNED_FRAMES:
    "required: readings count only when the device's key signed them, so that a broker outside can forge none. optional (the default): the connection vouches too.",
  WASHA_MQTT_AUTH_SECRET:
    "Secret with which EMQX or RabbitMQ asks /mqtt/... who may speak: 16 to 128 letters, digits, _ or -. Not set: those doors are shut.",
  WASHA_MQTT_PORT: "Port of the MQTT gateway (1883).",
  WASHA_MQTTS_CERT:
    "File with the certificate of the MQTT gateway and its chain (PEM): devices may then come by TLS. Read again every minute. Not set: no TLS.",
  WASHA_MQTTS_KEY: "File with its private key (PEM, without a password).",
  WASHA_MQTTS_PORT: "Port of the MQTT gateway for TLS (8883).",
  WASHA_MQTT_PORT_SHARED:
    "yes: several gateway processes of this machine listen on the same ports, and the kernel shares devices out among them; Linux (no).",
  WASHA_MQTT_PLAIN: "no: the MQTT gateway lets nobody in without TLS (yes).",
  WASHA_MQTT_PUBLIC_URL:
    "How devices reach the broker, such as mqtts://mqtt.example.org:8883; told to a device that is claimed.",
  WASHA_TOKEN_BY_AIR:
    "Tokens for devices that can be reached: both (by air and by SMS), first (the SMS with the token follows only when the device does not confirm), off (both).",
  WASHA_TOKEN_BY_AIR_MINUTES: "With first: minutes until that SMS (10).",
  WASHA_DATA: "Folder of the embedded defaults (.washa).",
  WASHA_TIME_ZONE: "The operator's zone (Africa/Nairobi).",
  WASHA_COUNTRY: "Country of phone numbers without prefix (KE).",
  WASHA_CURRENCY: "Currency of the M-Pesa shortcodes (KES).",
  WASHA_COUNTRIES:
    "Further countries as COUNTRY:CURRENCY:ZONE separated by commas, such as UG:UGX:Africa/Kampala,RW:RWF:Africa/Kigali.",
  WASHA_PUBLIC_URL:
    "How providers reach this program, such as https://pay.example.org; part of every callback address.",
  WASHA_RAILS:
    "File with your accounts at mobile-money providers (JSON); see docs/rails.md. M-Pesa C2B alone needs none.",
  WASHA_APPROVAL_ABOVE:
    "Amounts in minor units above which an act of the desk needs a second person, such as KES:500000,UGX:100000. Not set: never.",
  WASHA_KEY: "64 hexadecimal digits: seals device keys at rest. Make one with: openssl rand -hex 32",
  WASHA_DARAJA_SECRET:
    "Secret part of the C2B URLs, 16 or more letters and digits, without mpesa, safaricom, exe, cmd, sql or query.",
  WASHA_DARAJA_SHORTCODES: "Your paybills and tills, separated by commas.",
  WASHA_DARAJA_SOURCES:
    "Addresses and CIDR ranges that may post payments, separated by commas. Empty: the secret alone protects.",
  WASHA_PROXY_HOPS: "Trusted proxies in front of the program that add to X-Forwarded-For (0).",
  WASHA_SMS_USERNAME: "Africa's Talking user name.",
  WASHA_SMS_KEY: "Africa's Talking API key.",
  WASHA_SMS_SENDER: "Sender name or short code, when you own one.",
  WASHA_SMS_URL: "Base URL of the SMS gateway; only to reach a simulator.",
  WASHA_MESSAGE_CHANNELS:
    "Channels for what we start ourselves, the preferred first, such as whatsapp,telegram,sms: a chat is taken where the person began one (sms).",
  WASHA_WHATSAPP_TEXTS:
    "Messages that WhatsApp approved as templates, as OURS=THEIRS separated by commas, such as token_received=payment_1; see docs/messages.md. Others go by SMS a day after the person last wrote.",
  WASHA_HEARD_KEPT_DAYS:
    "Days that messages of customers are kept (180); what is for a person stays until its conversation was closed so long ago.",
  WASHA_QUIET_HOURS:
    "When reminders and campaigns rest, by the clock of the person's country (21:00-07:00). Payments are told at any time.",
  WASHA_REMINDERS_FROM: "From when on in the day reminders leave (09:00).",
  WASHA_REMINDERS_A_DAY: "Reminders a contract gets in a day at most (1).",
  WASHA_MARKETING_A_WEEK: "Messages of campaigns that a customer gets from Monday to Sunday at most (2).",
  WASHA_SMS_PART_PRICE: "What one part of an SMS costs, such as KES 0.80, for estimates and the cap.",
  WASHA_MESSAGE_COST_CAP:
    "What messages may cost in a day, such as KES 5000: campaigns wait from 80 % of it on, reminders when it is reached, payments never. Not set: no cap.",
  WASHA_SMS_SECRET:
    "Secret part of the URLs of delivery reports and of SMS that customers write, 16 or more letters and digits.",
  WASHA_WHATSAPP_PHONE_ID: "Id of your number at WhatsApp's Cloud API. With the next three there is WhatsApp.",
  WASHA_WHATSAPP_TOKEN: "Access token of a system user who may send messages.",
  WASHA_WHATSAPP_APP_SECRET: "Secret of your application at Meta: it signs what comes to /messaging/whatsapp.",
  WASHA_WHATSAPP_VERIFY_TOKEN: "What you type at Meta as the verify token of that address.",
  WASHA_WHATSAPP_BASE_URL: "Base URL of the Graph API with its version (https://graph.facebook.com/v25.0).",
  WASHA_TELEGRAM_TOKEN: "Token of your bot, from BotFather. With the next one there is Telegram.",
  WASHA_TELEGRAM_SECRET: "The secret_token that you give to setWebhook, 16 to 128 letters, digits, _ or -.",
  WASHA_TELEGRAM_BASE_URL: "Base URL of the Bot API (https://api.telegram.org).",
  WASHA_USSD_SECRET:
    "Secret part of the USSD callback's URL, 16 or more letters and digits; without it there is no USSD.",
  WASHA_SIM_SWAP_URL:
    "SIM Swap API (GSMA Open Gateway, CAMARA) asked before a PIN is chosen, such as https://api.example.com/sim-swap/v1/. Not set: nobody is asked.",
  WASHA_SIM_SWAP_TOKEN: "Bearer token for the SIM Swap API; without it nobody is asked.",
  WASHA_SETTLE_BATCH: "Payments settled in one transaction (200).",
  WASHA_DB_CONNECTIONS: "Connections to PostgreSQL a process may hold (10).",
  WASHA_KEPT_DAYS: "Days of readings kept in PostgreSQL; older ones are in history alone (40).",
  WASHA_INGEST_LANES:
    "Connections by which a process writes readings; 2 where PostgreSQL is on a machine of its own (1).",
  WASHA_METRICS_SIMPLE_AUTH:
    "1 takes device requests that sign nothing that grows (method sa): whoever hears one can repeat it for ever (0).",
  WASHA_LOG: "Log level: fatal, error, warn, info, debug (info).",
};
