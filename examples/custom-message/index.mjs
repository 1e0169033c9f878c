// A CustomMessage trigger of a Cognito user pool that tells people why they must
// choose a new password. cognito-reset hands it a reason and, where it is known,
// a day:
//
//   cognito-reset run … --client-metadata reason=leak --client-metadata-from-columns seen
//
// Whoever just forgot a password gets the pool's usual message, and so does
// everybody whose message this is not about.
//
// Anyone who may call ForgotPassword can hand clientMetadata to this function. So
// it takes none of its words from there: a reason chooses among the texts below,
// and a day must look like one.

const reasons = {
  leak: (day) => `Your password was found in a list of stolen passwords${day && ` on ${day}`}. It no longer works.`,
  rotation: () => "Your password is due for a change and no longer works.",
};

export const handler = async (event) => {
  const { userAttributes, codeParameter, clientMetadata } = event.request;
  const { reason, seen } = clientMetadata ?? {};
  if (event.triggerSource !== "CustomMessage_ForgotPassword" || !Object.hasOwn(reasons, reason ?? "")) {
    return event;
  }
  const why = reasons[reason](/^\d{4}-\d{2}-\d{2}$/.test(seen) ? seen : "");
  const name = userAttributes?.name?.slice(0, 100);

  // Cognito puts the code where codeParameter stands, and takes no message without
  // it; of an e-mail it takes 20,000 characters, of a subject and a text message 140.
  const response = {
    emailSubject: "Please choose a new password",
    emailMessage: `<p>Hello${name ? ` ${escaped(name)}` : ""},</p>
<p>${why}</p>
<p>To choose a new one, enter this code in the app: <b>${codeParameter}</b></p>
<p>The code is good for one hour. After that, choose “Forgot password” in the app for another.
We never ask for a password by e-mail or phone.</p>`,
    smsMessage: `Your password no longer works. Choose a new one in the app with this code: ${codeParameter}`,
  };
  return { ...event, response: { ...event.response, ...response } };
};

// escaped makes text of what could be HTML, or the place of the code. It leaves out
// what Cognito takes in no message: control characters, and the joints of emoji.
const escaped = (text) =>
  text.replace(/[^\p{L}\p{M}\p{S}\p{N}\p{P}\s]/gu, "").replace(/[&<>"'{}]/g, (c) => `&#${c.charCodeAt(0)};`);
