//! Meetings nobody held: who was there, what was said by whom, and what of it a summary has to
//! tell. The same seed gives the same meeting; what pipelines make of it is another matter.

use switchyard::model::{
    Consent, Participant, RecordingFacts, RecordingId, RoomFacts, RoomId, Subject, TranscriptFacts,
    TranscriptId,
};

use crate::dice::Dice;

/// Something that was talked about, with what must be told of it right.
#[derive(Clone, Debug)]
pub(super) struct Matter {
    pub(super) noun: &'static str,
    /// What was counted.
    pub(super) counted: &'static str,
    /// What was wrong with some of it.
    pub(super) wrong: &'static str,
    /// What is to be done.
    pub(super) task: &'static str,
    /// Who is to do it.
    pub(super) owner: String,
    /// Who asked for it.
    pub(super) other: String,
    pub(super) count: usize,
    pub(super) percent: usize,
    pub(super) day: &'static str,
    pub(super) agreed: bool,
}

/// A sentence as it was said.
pub(super) struct Sentence {
    pub(super) matter: usize,
    pub(super) speaker: usize,
    pub(super) words: Vec<String>,
}

/// A meeting as it was held.
pub(super) struct Meeting {
    pub(super) seed: u64,
    /// How often whoever sums it up leaves a number out.
    pub(super) left_out: f64,
    pub(super) people: Vec<Participant>,
    pub(super) matters: Vec<Matter>,
    pub(super) said: Vec<Sentence>,
    pub(super) subject: Subject,
}

const PEOPLE: [&str; 8] = [
    "Ana Torres",
    "Ben Okafor",
    "Chloé Martin",
    "Dmitri Volkov",
    "Eva Brandt",
    "Femi Adeyemi",
    "Grace Lindqvist",
    "Hiro Tanaka",
];
/// What is talked about, what is counted, what is wrong with some of it, and what is to be done.
const MATTERS: [[&str; 4]; 10] = [
    [
        "billing export",
        "invoices",
        "rounded wrongly",
        "move the rounding to each invoice line",
    ],
    [
        "load test",
        "requests",
        "answered too slowly",
        "add a cache before the database",
    ],
    [
        "launch plan",
        "checklist points",
        "still open",
        "write to the press and the partners",
    ],
    [
        "support backlog",
        "tickets",
        "older than a week",
        "bring in two people from the night shift",
    ],
    [
        "mobile release",
        "crash reports",
        "from old phones",
        "drop the oldest operating system",
    ],
    [
        "pricing page",
        "visitors",
        "gone before the table",
        "shorten the text above the fold",
    ],
    [
        "data migration",
        "records",
        "without an owner",
        "ask the archive for the missing names",
    ],
    [
        "hiring round",
        "applications",
        "never read",
        "set up interviews with the design group",
    ],
    [
        "customer survey",
        "answers",
        "about the search box",
        "show the charts to the board",
    ],
    [
        "security audit",
        "findings",
        "graver than expected",
        "renew every key in the vault",
    ],
];
const DAYS: [&str; 5] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"];
const TALK: [&str; 14] = [
    "so um let us look at the {noun} before we go on",
    "I think the {noun} is in a better place than it was when we met the last time",
    "okay that makes sense to me and I can take a look at it after this call",
    "could you say a bit more about how the {noun} works for the people who use it",
    "well the thing is that nobody has touched the {noun} for quite a while now",
    "right and we should write that down so that we do not forget about it again",
    "the numbers looked strange to me at first but then I saw where they came from",
    "let me share my screen so that everybody can see the same thing that I see",
    "sure I am happy to do that and to tell the others about it in the channel",
    "um I would rather wait until we know more about what the customers expect",
    "it is not a big thing but it keeps coming up when I talk to the other teams",
    "as far as I can tell there is nothing that blocks us from going ahead here",
    "we talked about the {noun} with the partners and they had the same question",
    "okay good so what is left to do for the {noun} is rather small I would say",
];

impl Meeting {
    pub(super) fn held(seed: u64, left_out: f64) -> Self {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(17));
        let names = some(&mut dice, &PEOPLE, 3);
        let people: Vec<Participant> = (0..)
            .zip(&names)
            .map(|(speaker, name)| Participant {
                id: format!("person-{speaker}"),
                speaker: Some(speaker),
                name: (*name).to_owned(),
                user_id: None,
            })
            .collect();
        let first = |at: usize| names[at].split(' ').next().unwrap_or_default().to_owned();
        let matters: Vec<Matter> = some(&mut dice, &MATTERS, 4)
            .into_iter()
            .map(|[noun, counted, wrong, task]| {
                let owner = dice.below(3);
                Matter {
                    noun,
                    counted,
                    wrong,
                    task,
                    owner: first(owner),
                    other: first((owner + 1 + dice.below(2)) % 3),
                    count: 21 + dice.below(900),
                    percent: 11 + dice.below(80),
                    day: dice.one_of(&DAYS),
                    agreed: dice.happens(0.7),
                }
            })
            .collect();
        let said = talk(&mut dice, &matters);
        Self {
            seed,
            left_out,
            subject: subject(seed, dice.happens(0.25)),
            people,
            matters,
            said,
        }
    }
}

/// So many different ones.
fn some<T: Copy>(dice: &mut Dice, of: &[T], many: usize) -> Vec<T> {
    let mut left = of.to_vec();
    (0..many)
        .map(|_| left.remove(dice.below(left.len())))
        .collect()
}

/// About a hundred words on each matter.
fn talk(dice: &mut Dice, matters: &[Matter]) -> Vec<Sentence> {
    let mut said = Vec::new();
    let mut speaker = 0;
    for (at, matter) in matters.iter().enumerate() {
        let told = [
            format!(
                "in the {} we counted {} {}",
                matter.noun, matter.count, matter.counted
            ),
            format!(
                "and {} percent of those are {}",
                matter.percent, matter.wrong
            ),
            format!(
                "{} will {} until {} as {} asked",
                matter.owner, matter.task, matter.day, matter.other
            ),
            if matter.agreed {
                "and everybody agreed to that".to_owned()
            } else {
                "but the group did not agree to that".to_owned()
            },
        ];
        let mut facts = told.into_iter();
        for number in 0..8 {
            let sentence = if number % 2 == 1 {
                facts.next().unwrap_or_default()
            } else {
                dice.one_of(&TALK).replace("{noun}", matter.noun)
            };
            if dice.happens(0.7) {
                speaker = (speaker + 1 + dice.below(2)) % 3;
            }
            said.push(Sentence {
                matter: at,
                speaker,
                words: sentence.split(' ').map(str::to_owned).collect(),
            });
        }
    }
    said
}

fn subject(seed: u64, is_denied: bool) -> Subject {
    let tracks: Vec<String> = (0..3)
        .map(|at| format!("meeting-{seed}/track-{at}"))
        .collect();
    Subject {
        recording: RecordingFacts {
            id: RecordingId::new(format!("rec-{seed}")),
            bucket_name: "daily-recordings".to_owned(),
            object_key: format!("meeting-{seed}"),
            track_keys: tracks.clone(),
        },
        transcript: TranscriptFacts {
            id: TranscriptId::new(format!("transcript-{seed}")),
            created_at: "2026-03-02T12:00:00.123456+00:00".to_owned(),
            user_id: Some("user-ana".to_owned()),
            room_id: Some(RoomId::new("room")),
            source_kind: "room".to_owned(),
            source_language: "en".to_owned(),
            target_language: "en".to_owned(),
            title: None,
            zulip_message_id: None,
            participants: Vec::new(),
        },
        room: Some(RoomFacts {
            id: RoomId::new("room"),
            name: "weekly".to_owned(),
            zulip_auto_post: true,
            zulip_stream: Some("meetings".to_owned()),
            zulip_topic: Some("weekly".to_owned()),
            webhook_url: Some("https://customer.example.test/hook".to_owned()),
            webhook_secret: Some("secret".to_owned()),
        }),
        calendar_event: None,
        consents: vec![Consent {
            user_id: None,
            consent_given: !is_denied,
        }],
        track_keys: tracks,
        ui_base_url: "https://reflector.example.test".to_owned(),
    }
}
