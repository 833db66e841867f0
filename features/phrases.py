"""Phrases that comments of any creator are made of, and words that tell Vietnamese from English.

Phrases are written as people write them and folded by `features.texts` before they are looked up, so "quáaaa", "QUÁ"
and "qua" are one. Where they come from: praise of one word or an emoji and lone mentions are what HypeAuditor counts as
suspicious (help.hypeauditor.com, article 2541185); slots such as "this photo is so lovely", "nice shot" or "love your
posts" are the examples that scripts for Instagram comments ship with (the examples of instabot.rb, InstaPy); asking
to be followed and pointing to other pages are the commonest kinds of the UCI set of YouTube spam. The Vietnamese ones
are the project's own: what sellers, seeding teams and people who "chấm" (leave a dot to find a post again) write.
No list says that who writes so is paid for it: people do write "nice". Wishes (WISHES) speak for
nothing: many honest people write the same one on the same day, so their words do not help to make a comment a copy.
"""

from typing import Final

#: Praise and reactions that fit any post.
PRAISE: Final = (
    # English
    "nice", "cool", "wow", "great", "good", "awesome", "amazing", "beautiful", "gorgeous", "stunning", "lovely",
    "pretty", "cute", "cutie", "adorable", "perfect", "perfection", "fantastic", "fabulous", "fab", "incredible",
    "wonderful", "superb", "excellent", "brilliant", "dope", "lit", "fire", "sick", "epic", "goals", "love", "omg",
    "yes", "yas", "queen", "king", "slay", "beauty", "sweet", "hot", "sexy", "stunner", "flawless", "magnificent",
    "marvelous", "elegant", "classy", "stylish", "glorious", "magical", "inspiring", "legend", "boss", "bravo", "yum",
    "yummy", "delicious", "lol", "haha", "hahaha", "like", "agreed", "true", "so true", "interesting", "well done",
    "good job", "nice job", "great job", "good work", "keep it up", "keep going", "keep up", "on point", "on fire",
    "love it", "love this", "love that", "love these", "love you", "like it", "like this", "thanks for sharing",
    "thank you for sharing", "nailed it", "well said", "killing it", "first", "congrats", "congratulations", "the best",
    "to die for", "you rock", "speechless", "obsessed", "in love",
    # Vietnamese
    "đẹp", "xinh", "hay", "tuyệt", "tuyệt vời", "đỉnh", "đỉnh cao", "đỉnh của chóp", "chất", "chất lượng", "dễ thương",
    "đáng yêu", "yêu", "thích", "mê quá", "mê ghê", "mê xỉu", "ngon", "ngầu", "xịn", "xịn xò", "xuất sắc", "hoàn hảo",
    "tốt", "ok", "oke", "ổn", "ổn áp", "chuẩn", "chuẩn luôn", "ưng", "ưng ý", "hài lòng", "vui", "hài", "sang",
    "quý phái", "lung linh", "hết nấc", "hết ý", "quá đã", "vip", "pro", "number one", "cố lên", "ủng hộ", "chúc mừng",
    "hữu ích", "bổ ích", "ý nghĩa",
)  # fmt: skip
#: Marks of presence and answers to "comment to get the price": common under any Vietnamese post that sells.
PRESENCE: Final = (
    "hóng", "chấm", "chấm hóng", "đánh dấu", "lưu lại", "up", "up bài", "đẩy bài", "thả tim", "tương tác", "quan tâm",
    "tư vấn", "inbox", "ib", "check inbox", "check ib", "inbox giá", "ib giá", "xin giá", "báo giá", "giá", "giá ib",
    "xin link", "xin info", "uy tín", "info",
)  # fmt: skip
#: Asking for followers, pointing to other pages, selling something else.
PROMOTION: Final = (
    # English
    "follow me", "follow back", "follow us", "follow for follow", "follow my", "f4f", "l4l", "like for like",
    "sub4sub", "sub for sub", "subscribe to my", "check my", "check out my", "check out our", "check our", "visit my",
    "visit our", "my channel", "link in bio", "link in my bio", "dm me", "dm us", "dm for", "send us a dm",
    "send pic to", "promote it on", "promo code", "discount code", "use code", "use my code", "earn money",
    "make money", "work from home", "free followers", "get followers", "buy followers", "more followers", "bitcoin",
    "crypto", "forex", "whatsapp", "telegram", "brand ambassador", "collab with us",
    # Vietnamese
    "theo dõi chéo", "follow chéo", "sub chéo", "like chéo", "tương tác chéo", "tăng follow", "tăng like", "mua like",
    "mua follow", "theo dõi mình", "theo dõi em", "follow mình", "follow em", "kiếm tiền online", "việc làm tại nhà",
    "tuyển ctv", "tuyển cộng tác viên", "zalo", "ghé shop", "ghé page", "ghé trang", "ghé nhà",
    "vay tiền", "vay vốn", "sim số đẹp", "inbox mình", "ib mình", "ib em", "inbox em",
)  # fmt: skip
#: Wishes for a day, a loss or an illness, and the words they come with: the same from everybody who means them.
WISHES: Final = (
    # English
    "happy birthday", "happy belated birthday", "happy bday", "happy b day", "hbd", "birthday", "many happy returns",
    "happy anniversary", "happy wedding day", "happy new year", "merry christmas", "happy christmas", "happy holidays",
    "happy easter", "happy halloween", "happy thanksgiving", "happy valentines day", "happy valentines",
    "happy mothers day", "happy fathers day", "happy womens day", "happy teachers day", "happy lunar new year",
    "happy tet", "happy diwali", "happy eid", "eid mubarak", "ramadan kareem", "happy independence day",
    "happy graduation", "happy monday", "happy tuesday", "happy wednesday", "happy thursday", "happy friday",
    "happy saturday", "happy sunday", "happy weekend", "congrats", "congratulations", "congratulation", "good luck",
    "best of luck", "good morning", "good night", "good evening", "good afternoon", "have a great day",
    "have a good day", "have a nice day", "have a wonderful day", "have a lovely day", "have a blessed day",
    "have a great weekend", "have a nice weekend", "have a good weekend", "have a great week", "have a great time",
    "have a great trip", "have fun", "enjoy", "safe travels", "safe flight", "get well soon", "get better soon",
    "feel better soon", "feels better soon", "feel better", "speedy recovery", "sorry for your loss", "so sorry",
    "rest in peace", "rip", "my condolences", "condolences", "thoughts and prayers", "sending love", "sending prayers",
    "sending hugs", "stay strong", "stay safe", "god bless", "god bless you", "thank you so much",
    "wish you all the best", "wishing you", "all the best", "best wishes", "you and your family", "your family",
    # Vietnamese
    "chúc mừng sinh nhật", "sinh nhật vui vẻ", "mừng sinh nhật", "hpbd", "sinh nhật", "tuổi mới", "thêm tuổi mới",
    "chúc mừng năm mới", "năm mới vui vẻ", "năm mới", "an khang thịnh vượng", "vạn sự như ý", "tấn tài tấn lộc",
    "giáng sinh an lành", "giáng sinh vui vẻ", "giáng sinh", "chúc mừng", "chúc", "mãi hạnh phúc",
    "trăm năm hạnh phúc", "hạnh phúc", "vui vẻ", "mạnh khỏe", "nhiều sức khỏe", "dồi dào sức khỏe", "sức khỏe",
    "thành công", "bình an", "may mắn", "nhiều niềm vui", "luôn vui", "luôn xinh đẹp", "luôn hạnh phúc", "mau khỏe",
    "mau khỏi bệnh", "chóng khỏe", "chia buồn", "xin chia buồn", "xin chia buồn cùng gia đình", "thành kính chia buồn",
    "thành kính phân ưu", "yên nghỉ", "an nghỉ", "ngủ ngon", "buổi sáng tốt lành", "ngày mới tốt lành",
    "cuối tuần vui vẻ", "một ngày vui vẻ", "thượng lộ bình an", "cố lên", "8 3", "20 10", "20 11",
    # other languages, the commonest
    "feliz cumpleaños", "feliz navidad", "feliz año nuevo", "felicidades", "felicitaciones", "feliz aniversário",
    "feliz natal", "feliz ano novo", "parabéns", "buon compleanno", "tanti auguri", "auguri", "buon natale",
    "buon anno", "congratulazioni", "joyeux anniversaire", "bon anniversaire", "joyeux noël", "bonne année",
    "félicitations", "alles gute zum geburtstag", "alles gute", "herzlichen glückwunsch", "gute besserung",
    "frohe weihnachten", "gefeliciteerd", "beterschap", "god bedring", "gratulerer med dagen", "gratulerer",
    "tillykke", "grattis", "wszystkiego najlepszego", "selamat ulang tahun", "selamat tahun baru", "selamat", "semoga",
    "สุขสันต์วันเกิด", "с днем рождения", "поздравляю",
)  # fmt: skip
#: Words around a phrase that do not make it say more.
FILLERS: Final = (
    # English
    "so", "very", "really", "too", "super", "absolutely", "totally", "just", "simply", "such", "a", "an", "the", "this",
    "that", "these", "it", "its", "is", "are", "was", "you", "your", "youre", "u", "ur", "look", "looks", "looking",
    "my", "and", "i", "im", "of", "for", "all", "always", "much", "more", "as", "what", "how", "one", "girl", "babe",
    "baby", "bro", "man", "dude", "dear", "hun", "hon", "sis", "guys", "friend", "buddy", "mate", "oh", "god", "here",
    "pic", "pics", "photo", "photos", "picture", "shot", "post", "posts", "feed", "page", "profile", "content", "video",
    "work", "capture", "account", "gallery", "style", "outfit", "job", "snap", "click", "image", "dress", "hair",
    "view", "x", "xx", "xo", "xoxo", "aw",
    # Vietnamese
    "quá", "lắm", "ghê", "thật", "thế", "vậy", "rất", "luôn", "nha", "nhé", "nhe", "nè", "ạ", "ơi", "ui", "chị", "anh",
    "em", "bạn", "cô", "bé", "nàng", "shop", "ad", "mình", "cho", "với", "xỉu", "à", "ha", "đi", "của", "và", "hàng",
    "sản", "phẩm", "này", "c", "e", "b", "k", "nữa", "trời", "vãi", "cả", "nhà", "là",
)  # fmt: skip
#: What questions begin or end with, for those who leave out the mark.
QUESTIONS: Final = (
    # English
    "where is", "where did you", "where can i", "where do you", "where are", "how much is", "how many", "how do you",
    "how did you", "how long", "what is", "whats the", "what brand", "what camera", "what color", "what size",
    "which one", "when will", "when is", "who is", "do you have", "does it", "can you tell", "can you share",
    "do you ship", "any tips",
    # Vietnamese
    "bao nhiêu", "nhiêu tiền", "nhiêu vậy", "ở đâu", "mua đâu", "giá sao", "khi nào", "bao giờ", "tại sao", "vì sao",
    "thế nào", "làm sao", "được không", "được ko", "đc ko", "đc k", "có không", "phải không", "đúng không", "không ạ",
    "ko ạ", "chưa ạ", "là gì", "gì vậy", "gì thế", "màu gì", "loại nào", "size gì", "mấy giờ", "mấy tuổi", "ai biết",
    "cho hỏi", "cho em hỏi", "cho mình hỏi", "xin hỏi", "cho xin địa chỉ",
)  # fmt: skip
#: Words that most sentences of the language have some of, and the other has not.
ENGLISH_WORDS: Final = (
    "the", "and", "you", "your", "youre", "is", "are", "this", "that", "it", "its", "so", "my", "i", "im", "we", "for",
    "of", "to", "in", "with", "have", "has", "be", "been", "love", "loved", "look", "looks", "looking", "what", "how",
    "was", "can", "cant", "but", "all", "just", "like", "not", "dont", "get", "got", "very", "great", "good", "nice",
    "beautiful", "cute", "amazing", "happy", "thanks", "thank", "want", "need", "where", "when", "who", "why", "would",
    "will", "they", "them", "these", "he", "she", "her", "his", "our", "at", "from", "one", "as", "too", "much", "more",
    "really", "know", "see", "time", "day", "always", "such", "some", "if", "or", "about", "there", "here", "out", "up",
    "picture", "photo", "shot", "pretty", "awesome", "gorgeous", "perfect", "best", "new", "make", "wish", "hope",
    "follow", "check", "please", "post", "girl", "keep", "go", "going", "i'll", "i've", "every", "that's",
)  # fmt: skip
VIETNAMESE_WORDS: Final = (
    "không", "ko", "hông", "đẹp", "quá", "ơi", "chị", "em", "anh", "của", "những", "được", "đc", "nhiều", "lắm", "rồi",
    "vậy", "nha", "nhé", "mình", "bạn", "này", "cho", "thì", "người", "với", "như", "một", "rất", "thích", "cũng",
    "biết", "mua", "giá", "xin", "xinh", "hay", "vui", "thấy", "chưa", "luôn", "nữa", "tôi", "mới", "yêu",
    "thương", "ngon", "khi", "trong", "các", "nhìn", "làm", "nghe", "xem", "ghê", "còn", "phải", "gì",
    "vẫn", "nhà", "chúc", "ủng", "hàng", "mọi", "việc", "ngày", "tiền", "thôi", "đúng", "chứ", "nè",
)  # fmt: skip
#: Most words that a comment made of nothing but phrases may have.
GENERIC_WORDS: Final = 8
