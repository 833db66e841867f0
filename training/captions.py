"""Captions of simulated creators: small grammars in English, Vietnamese, Indonesian and French, one vocabulary a niche.

A caption is lead + thing + remark + closer + hashtags, each drawn by its number: the vocabulary is laid out once, and a
million captions are a handful of Arrow gathers.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NICHES = (
    "beauty", "family", "fashion", "fitness", "food", "interior", "pet", "travel", "tech", "gaming", "lifestyle",
)  # fmt: skip
LANGUAGES = ("en", "vi", "id", "fr")

_LEADS = {
    "en": "Today I tried|My honest review of|Three weeks with|You asked about|Everything about|Still thinking about|"
    "A quick look at|What I learned from|New on the channel:|Weekend plans:|First impressions of|Why I keep coming "
    "back to|Save this for later:|Not sure about|Finally sharing|Unpopular opinion on",
    "vi": "Hôm nay mình thử|Review thật lòng về|Ba tuần cùng|Mọi người hỏi nhiều về|Tất tần tật về|Vẫn mê|Xem nhanh|"
    "Mình học được gì từ|Mới lên sóng:|Cuối tuần này:|Ấn tượng đầu tiên về|Vì sao mình luôn quay lại với|Lưu lại ngay:|"
    "Chưa ưng lắm|Cuối cùng cũng chia sẻ|Ý kiến trái chiều về",
    "id": "Hari ini coba|Review jujur soal|Tiga minggu bareng|Banyak yang tanya|Semua tentang|Masih suka|Cek sebentar|"
    "Pelajaran dari|Baru tayang:|Rencana akhir pekan:|Kesan pertama|Simpan dulu:",
    "fr": "Aujourd'hui je teste|Mon avis honnête sur|Trois semaines avec|Vous m'avez demandé|Tout savoir sur|Toujours "
    "fan de|Coup d'œil sur|Ce que j'ai appris de|Nouveau ici :|Ce week-end :|Premières impressions sur|À garder :",
}
_CLOSERS = {
    "en": "|What do you think?|Tell me below|Link in bio|Full video tomorrow|Would you try it?|Love you all|Part two "
    "soon|Be honest with me|Ask me anything",
    "vi": "|Mọi người thấy sao?|Bình luận cho mình biết nhé|Link ở bio|Mai lên video đầy đủ|Bạn có thử không?|Thương cả "
    "nhà|Phần hai sắp ra|Góp ý thật nha|Hỏi mình bất cứ điều gì",
    "id": "|Menurut kalian gimana?|Tulis di komentar|Link di bio|Besok video lengkapnya|Mau coba?|Part dua segera",
    "fr": "|Vous en pensez quoi ?|Dites-moi tout|Lien en bio|La vidéo complète demain|Vous essayez ?|La suite bientôt",
}
_PAID = {
    "en": "#ad|Paid partnership with|In collaboration with|#sponsored by|Thanks to|Gifted by",
    "vi": "#quangcao|Hợp tác cùng|Bài viết tài trợ bởi|#hoptac với|Cảm ơn|Quà từ",
    "id": "#iklan|Kerja sama dengan|Disponsori oleh|#kolaborasi bareng|Terima kasih|Hadiah dari",
    "fr": "#publicité|Collaboration commerciale avec|Sponsorisé par|#partenariat avec|Merci à|Offert par",
}
_PLANS = {
    "en": "GIVEAWAY! Follow, tag a friend and comment to win",
    "vi": "GIVEAWAY! Theo dõi, tag bạn bè và bình luận để nhận",
    "id": "GIVEAWAY! Follow, tag teman dan komentar untuk menang",
    "fr": "CONCOURS ! Abonne-toi, tague un ami et commente pour gagner",
}
#: Invented brand names.
BRANDS = tuple(
    "Lumora Nhami Velisse Koapi Brightleaf Sanori Tavikko Mellune Dalarie Oruno Pivasta Zentari Hoalia Quinova Marbelo "
    "Suvira".split()
)
_GENERAL = {
    "en": "#fyp #daily #creator #weekend #review #tips #haul #vlog",
    "vi": "#xuhuong #reviewchanthat #cuocsong #chiase #meovat #koc #hangngay #gocreview",
    "id": "#fyp #racun #harian #reviewjujur #tips #vlog",
    "fr": "#pourtoi #quotidien #avis #astuces #vlog #decouverte",
}
# niche → language → things; remarks; hashtags
_WORDS: dict[str, dict[str, tuple[str, str, str]]] = {
    "beauty": {
        "en": (
            "this vitamin C serum|the new matte lipstick|my evening skincare routine|a gentle sunscreen|cushion foundation|"
            "glass skin makeup|drugstore mascara|a retinol night cream|curly hair oil|nail art at home|brow gel|a clay mask",
            "my skin feels calm and hydrated|the shade lasts all day|no white cast at all|great for oily skin|it broke me "
            "out a little|the texture is so light",
            "#skincare #makeup #beauty #glowup #sunscreen #lipstick #serum #haircare",
        ),
        "vi": (
            "serum vitamin C|cây son lì mới|chu trình dưỡng da buổi tối|kem chống nắng dịu nhẹ|cushion che phủ tốt|makeup "
            "da căng bóng|bộ mỹ phẩm mới|mascara bình dân|kem dưỡng retinol|dầu dưỡng tóc xoăn|vẽ móng tại nhà|gel chân mày|mặt nạ đất sét",
            "da mình dịu và ẩm hẳn|màu son giữ cả ngày|không hề bị trắng mặt|hợp da dầu mụn|mình bị nổi mụn nhẹ|chất kem "
            "rất mỏng nhẹ",
            "#lamdep #skincare #trangdiem #duongda #kemchongnang #sonmoi #serum #chamsoctoc",
        ),
        "id": (
            "serum vitamin C|lipstik matte baru|rutinitas skincare malam|sunscreen ringan|cushion|masker wajah|minyak rambut",
            "kulit jadi lembap|warnanya tahan lama|cocok untuk kulit berminyak|teksturnya ringan",
            "#skincare #makeup #cantik #perawatankulit #sunscreen",
        ),
        "fr": (
            "ce sérum vitamine C|le nouveau rouge à lèvres|ma routine du soir|une crème solaire douce|un fond de teint|un "
            "masque à l'argile|cette huile pour cheveux",
            "ma peau est apaisée|la couleur tient toute la journée|parfait pour peaux grasses|texture légère",
            "#beaute #maquillage #soinvisage #routine #cremesolaire",
        ),
    },
    "family": {
        "en": (
            "our bedtime routine|baby led weaning|a stroller for small cars|toddler lunch boxes|school morning chaos|"
            "diapers that do not leak|story books for kids|a rainy day craft|the first steps|sibling fights|nursery "
            "shelves|a family picnic",
            "the kids loved it|mum life is a marathon|dad fell asleep first|safe for babies|easy to clean|we need more sleep",
            "#family #momlife #parenting #baby #toddler #kids #dadlife #motherhood",
        ),
        "vi": (
            "giờ đi ngủ của bé|bé ăn dặm tự chỉ huy|xe đẩy gấp gọn|hộp cơm cho con|buổi sáng đưa con đi học|bỉm chống "
            "tràn|sách truyện cho bé|đồ chơi ngày mưa|những bước đi đầu tiên|hai anh em chí chóe|kệ đồ phòng bé|buổi dã "
            "ngoại cả nhà",
            "các con mê lắm|làm mẹ là chạy marathon|bố ngủ trước cả con|an toàn cho bé|dễ vệ sinh|cả nhà thiếu ngủ",
            "#giadinh #mevabe #nuoiconkhoe #andam #embe #lamme #chamcon #bimsua",
        ),
        "id": (
            "rutinitas tidur anak|MPASI bayi|stroller lipat|bekal sekolah|popok bayi|buku cerita anak|piknik keluarga",
            "anak-anak suka|mudah dibersihkan|aman untuk bayi|ibu butuh tidur",
            "#keluarga #ibudananak #parenting #bayi #mpasi",
        ),
        "fr": (
            "notre rituel du coucher|la diversification de bébé|une poussette compacte|la boîte à goûter|les couches|des "
            "livres pour enfants|un pique-nique en famille",
            "les enfants adorent|facile à laver|sans danger pour bébé|maman a sommeil",
            "#famille #maman #bebe #parents #enfants",
        ),
    },
    "fashion": {
        "en": (
            "a linen summer dress|thrifted denim jackets|capsule wardrobe basics|white sneakers|office outfits|a leather "
            "handbag|street style layers|wedding guest looks|wide leg trousers|gold jewellery|a knitted cardigan|rainy "
            "day boots",
            "the fit is perfect|size up if unsure|three ways to style it|fabric feels premium|the colour faded|so easy to "
            "dress up",
            "#fashion #ootd #outfit #style #streetwear #thrift #wardrobe #lookbook",
        ),
        "vi": (
            "váy linen mùa hè|áo khoác jean second hand|tủ đồ tối giản|giày sneaker trắng|đồ công sở|túi xách da|phối đồ "
            "đường phố|váy đi đám cưới|quần ống rộng|trang sức vàng|áo cardigan len|bốt ngày mưa",
            "form lên dáng chuẩn|nên tăng một size|ba cách phối đồ|vải mặc mát|màu hơi phai|phối gì cũng xinh",
            "#thoitrang #ootd #phoido #outfit #thoitrangnu #doxinh #phongcach #muasam",
        ),
        "id": (
            "gaun linen|jaket denim|hijab harian|sneaker putih|baju kantor|tas kulit|celana kulot",
            "ukurannya pas|bahannya adem|tiga cara memakainya|warnanya cantik",
            "#fashion #ootdindo #gaya #hijabstyle #outfit",
        ),
        "fr": (
            "une robe en lin|une veste en jean|ma garde-robe capsule|des baskets blanches|une tenue de bureau|un sac en "
            "cuir|un pantalon large",
            "la coupe est parfaite|le tissu est doux|trois façons de le porter|prenez une taille au-dessus",
            "#mode #tenue #style #look #friperie",
        ),
    },
    "fitness": {
        "en": (
            "a ten minute core workout|morning yoga flow|my first half marathon|leg day|protein breakfast|running shoes|"
            "home gym gear|deadlift form|pilates for beginners|mobility drills|a rest day walk|pull up progress",
            "sore but happy|form before weight|new personal best|no equipment needed|my knee complained|consistency wins",
            "#fitness #workout #gym #yoga #running #health #protein #pilates",
        ),
        "vi": (
            "bài tập bụng mười phút|yoga buổi sáng|giải chạy 21km đầu tiên|ngày tập chân|bữa sáng giàu đạm|giày chạy bộ|"
            "dụng cụ tập tại nhà|kỹ thuật deadlift|pilates cho người mới|bài giãn cơ|đi bộ ngày nghỉ|tập hít xà",
            "đau người mà vui|đúng kỹ thuật trước đã|kỷ lục cá nhân mới|không cần dụng cụ|đầu gối hơi đau|kiên trì là được",
            "#tapgym #fitness #yoga #chaybo #suckhoe #giamcan #pilates #tapluyen",
        ),
        "id": (
            "latihan perut|yoga pagi|lari half marathon|sarapan protein|sepatu lari|alat gym rumahan|pilates pemula",
            "pegal tapi senang|tanpa alat|rekor baru|konsisten saja",
            "#fitness #olahraga #gym #lari #sehat",
        ),
        "fr": (
            "dix minutes d'abdos|yoga du matin|mon premier semi-marathon|un petit déjeuner protéiné|des chaussures de "
            "running|la musculation à la maison|le pilates débutant",
            "courbatures mais contente|sans matériel|nouveau record|la régularité paie",
            "#fitness #sport #musculation #yoga #course",
        ),
    },
    "food": {
        "en": (
            "creamy garlic noodles|the best pho in town|a sourdough starter|street food at midnight|one pan chicken|iced "
            "coffee with coconut|spicy beef hotpot|matcha cheesecake|vegan tacos|a family recipe|grilled seafood|budget "
            "meal prep",
            "crispy outside and juicy inside|ready in twenty minutes|a bit too salty|worth the queue|recipe in the "
            "comments|second bowl please",
            "#food #recipe #foodie #cooking #streetfood #dinner #coffee #baking",
        ),
        "vi": (
            "bún bò cay nồng|quán phở ngon nhất phố|bánh mì men tự nhiên|ăn vặt đêm khuya|gà rim mặn ngọt|cà phê dừa đá|"
            "lẩu bò cay|bánh phô mai trà xanh|món chay cuối tuần|công thức của bà|hải sản nướng|cơm nhà tiết kiệm",
            "giòn ngoài mềm trong|nấu hai mươi phút là xong|hơi mặn một chút|đáng xếp hàng|công thức dưới bình luận|xin "
            "thêm bát nữa",
            "#anngon #monngon #nauan #anvat #reviewdoan #amthuc #caphe #comnha",
        ),
        "id": (
            "mie pedas|nasi goreng kampung|jajanan malam|ayam geprek|kopi susu|sate kambing|resep ibu",
            "renyah dan gurih|cuma dua puluh menit|agak asin|wajib coba",
            "#kuliner #resep #makanenak #jajanan #masak",
        ),
        "fr": (
            "des pâtes à l'ail|un pain au levain|la meilleure boulangerie|un gratin d'hiver|un café glacé|la recette de "
            "mamie|une tarte aux pommes",
            "croustillant et fondant|prêt en vingt minutes|un peu trop salé|on en reprend",
            "#cuisine #recette #gourmand #faitmaison #patisserie",
        ),
    },
    "interior": {
        "en": (
            "a tiny balcony garden|our living room makeover|a rented kitchen refresh|warm lighting|a walnut bookshelf|linen "
            "curtains|storage under the stairs|a reading corner|bathroom tiles|thrifted chairs|a minimalist desk|indoor "
            "plants",
            "before and after|total cost inside|renter friendly|the light changes everything|one shelf is crooked|so cosy now",
            "#interior #homedecor #home #diy #makeover #plants #decor #furniture",
        ),
        "vi": (
            "ban công nhỏ trồng cây|cải tạo phòng khách|bếp nhà thuê|ánh sáng ấm|kệ sách gỗ óc chó|rèm linen|tủ dưới cầu "
            "thang|góc đọc sách|gạch nhà tắm|ghế đồ cũ|bàn làm việc tối giản|cây trong nhà",
            "trước và sau|tổng chi phí trong bài|nhà thuê vẫn làm được|đèn đổi cả không gian|một kệ hơi lệch|ấm cúng hẳn",
            "#noithat #decor #nhadep #trangtrinha #cachlamnha #phongngu #cayxanh #donnha",
        ),
        "id": (
            "balkon mungil|renovasi ruang tamu|dapur kontrakan|lampu hangat|rak buku|tirai linen|tanaman hias",
            "sebelum dan sesudah|hemat biaya|cocok rumah kecil|jadi nyaman",
            "#interior #dekorasirumah #rumahminimalis #tanamanhias #diy",
        ),
        "fr": (
            "un petit balcon|notre salon refait|une cuisine de location|une lumière chaude|une bibliothèque en noyer|des "
            "rideaux en lin|un coin lecture",
            "avant et après|budget détaillé|parfait pour locataires|tellement cosy",
            "#deco #maison #interieur #diy #plantes",
        ),
    },
    "pet": {
        "en": (
            "my rescue dog's first bath|grain free cat food|a puppy training tip|the cat tree|a vet visit|dog park friends|"
            "a litter box that works|homemade dog treats|grooming day|a hamster maze|leash training|two kittens sleeping",
            "tail wagging all day|vet approved|she refused to look at it|zero smell|fur everywhere|best boy ever",
            "#pets #dog #cat #puppy #kitten #doglover #catlover #petcare",
        ),
        "vi": (
            "lần tắm đầu của chó cứu hộ|hạt cho mèo không ngũ cốc|mẹo dạy cún con|cây cào cho mèo|đi khám thú y|bạn mới ở "
            "công viên|cát vệ sinh khử mùi|bánh thưởng tự làm|ngày cắt tỉa lông|mê cung cho hamster|tập dắt dây|hai bé "
            "mèo ngủ",
            "vẫy đuôi cả ngày|bác sĩ thú y khuyên dùng|bé chê không thèm nhìn|không hề hôi|lông bay khắp nhà|cún ngoan nhất",
            "#thucung #cho #meo #cuncon #meocon #yeudongvat #boss #sen",
        ),
        "id": (
            "anjing rescue mandi|makanan kucing|latihan anak anjing|pohon kucing|ke dokter hewan|pasir kucing|dua anak kucing",
            "lucu sekali|direkomendasikan dokter|tidak bau|bulu di mana-mana",
            "#hewanpeliharaan #kucing #anjing #anabul #catlover",
        ),
        "fr": (
            "le premier bain du chien|des croquettes sans céréales|l'éducation du chiot|l'arbre à chat|la visite chez le "
            "véto|une litière efficace|deux chatons endormis",
            "il remue la queue|validé par le véto|sans odeur|des poils partout",
            "#animaux #chien #chat #chiot #chaton",
        ),
    },
    "travel": {
        "en": (
            "a hidden beach in Phu Quoc|three days in Da Lat|night trains in Europe|a mountain homestay|cheap flights|"
            "carry-on packing|an island ferry|a desert road trip|the old quarter at dawn|a jungle trek|hostel life|"
            "a sunrise viewpoint",
            "full itinerary below|cost me less than a dinner|go before nine|it rained all day|the view was unreal|locals "
            "were so kind",
            "#travel #wanderlust #trip #beach #backpacking #vacation #mountains #itinerary",
        ),
        "vi": (
            "bãi biển vắng ở Phú Quốc|ba ngày ở Đà Lạt|tàu đêm châu Âu|homestay trên núi|săn vé máy bay rẻ|xếp vali xách "
            "tay|chuyến phà ra đảo|phượt xuyên Việt|phố cổ lúc bình minh|trekking rừng|ở hostel|điểm ngắm bình minh",
            "lịch trình đầy đủ bên dưới|rẻ hơn một bữa tối|nhớ đi trước chín giờ|mưa cả ngày|cảnh đẹp không tưởng|người dân "
            "dễ thương",
            "#dulich #travel #phuot #bien #dalat #phuquoc #checkin #kinhnghiemdulich",
        ),
        "id": (
            "pantai tersembunyi di Lombok|tiga hari di Jogja|homestay gunung|tiket murah|packing kabin|kapal ke pulau|"
            "sunrise Bromo",
            "itinerary lengkap|murah banget|hujan seharian|pemandangannya indah",
            "#jalanjalan #travel #liburan #pantai #wisata",
        ),
        "fr": (
            "une plage cachée en Corse|trois jours à Lisbonne|les trains de nuit|un gîte en montagne|des vols pas chers|la "
            "valise cabine|un lever de soleil",
            "itinéraire complet|moins cher qu'un dîner|il a plu|la vue est folle",
            "#voyage #vacances #plage #roadtrip #montagne",
        ),
    },
    "tech": {
        "en": (
            "a budget phone with a great camera|noise cancelling earbuds|my desk setup|a mechanical keyboard|the new laptop|"
            "a smart home hub|battery life tests|a robot vacuum|an e-ink tablet|USB-C chargers|a mirrorless camera|"
            "programming tips",
            "benchmarks in the video|worth every cent|the firmware is buggy|fast charging works|specs explained simply|wait "
            "for a discount",
            "#tech #gadgets #review #smartphone #laptop #setup #unboxing #coding",
        ),
        "vi": (
            "điện thoại giá rẻ chụp đẹp|tai nghe chống ồn|góc làm việc của mình|bàn phím cơ|laptop mới|trung tâm nhà thông "
            "minh|test pin|robot hút bụi|máy tính bảng e-ink|củ sạc USB-C|máy ảnh mirrorless|mẹo lập trình",
            "điểm benchmark trong video|đáng từng đồng|phần mềm còn lỗi|sạc nhanh thật|giải thích thông số dễ hiểu|chờ giảm "
            "giá hẵng mua",
            "#congnghe #review #dienthoai #laptop #donghethongminh #setup #unboxing #meocongnghe",
        ),
        "id": (
            "hp murah kamera bagus|earbuds|setup meja kerja|keyboard mekanik|laptop baru|robot vacuum|charger USB-C",
            "hasil benchmark di video|worth it|masih ada bug|cas cepat",
            "#teknologi #gadget #reviewhp #laptop #unboxing",
        ),
        "fr": (
            "un smartphone pas cher|des écouteurs à réduction de bruit|mon bureau|un clavier mécanique|le nouvel ordinateur "
            "portable|un aspirateur robot|un chargeur USB-C",
            "tests complets en vidéo|excellent rapport qualité prix|le logiciel bugue|charge très rapide",
            "#tech #hightech #test #smartphone #ordinateur",
        ),
    },
    "gaming": {
        "en": (
            "the final boss fight|ranked matches|a cosy farming game|speedrun practice|my new headset|an indie gem|patch "
            "notes|a co-op horror night|mobile esports|a retro console|builds for beginners|a livestream recap",
            "clutch at one health|skill issue honestly|frame rate is smooth|servers died again|best ending so far|gg everyone",
            "#gaming #gamer #gameplay #esports #streamer #pcgaming #mobilegame #indiegame",
        ),
        "vi": (
            "trận boss cuối|leo rank|game nông trại thư giãn|tập speedrun|tai nghe gaming mới|tựa game indie hay|bản cập "
            "nhật|đêm game kinh dị|giải esports mobile|máy chơi game cổ|cách lên đồ cho người mới|tổng hợp livestream",
            "lật kèo còn một máu|do mình gà thôi|khung hình mượt|server lại sập|kết game hay nhất|gg anh em",
            "#game #gamethu #lienquan #leorank #esports #streamer #choigame #gamemobile",
        ),
        "id": (
            "bos terakhir|push rank|game santai|headset gaming|game indie|turnamen mobile|build pemula",
            "clutch banget|grafis mulus|server down|gg semua",
            "#gaming #gamer #mobilelegends #esports #mabar",
        ),
        "fr": (
            "le boss final|les parties classées|un jeu de ferme|mon nouveau casque|une pépite indé|une soirée horreur|le "
            "résumé du live",
            "victoire à un point de vie|très fluide|serveurs en panne|gg tout le monde",
            "#jeuxvideo #gaming #gameuse #esport #stream",
        ),
    },
    "lifestyle": {
        "en": (
            "a slow Sunday|my morning coffee ritual|journaling for a month|a birthday dinner|moving to a new city|budget "
            "tracking|a book I could not put down|a day in my life|Friday flowers|learning pottery|a digital detox|"
            "small wins of the week",
            "feeling grateful|it was messy but real|romanticise your life|one habit at a time|I changed my mind|simple things",
            "#lifestyle #dayinmylife #slowliving #selfcare #mindset #books #routine #goodvibes",
        ),
        "vi": (
            "chủ nhật chậm rãi|ly cà phê sáng|một tháng viết nhật ký|bữa tối sinh nhật|chuyển đến thành phố mới|quản lý chi "
            "tiêu|cuốn sách không thể buông|một ngày của mình|hoa ngày thứ sáu|học làm gốm|cai mạng xã hội|niềm vui nhỏ "
            "trong tuần",
            "thấy biết ơn|bừa bộn nhưng thật|sống đẹp từng ngày|mỗi lần một thói quen|mình đã đổi ý|điều giản dị thôi",
            "#lifestyle #motngaycuatoi #songcham #yeubanthan #thoiquen #docsach #tichcuc #vlog",
        ),
        "id": (
            "minggu santai|kopi pagi|menulis jurnal|makan malam ulang tahun|pindah kota|atur keuangan|buku favorit",
            "bersyukur|apa adanya|satu kebiasaan dulu|hal sederhana",
            "#gayahidup #keseharian #selfcare #rutinitas #positif",
        ),
        "fr": (
            "un dimanche tranquille|mon café du matin|un mois de journal|un dîner d'anniversaire|un déménagement|mon budget|"
            "un livre passionnant",
            "pleine de gratitude|imparfait mais vrai|une habitude à la fois|les choses simples",
            "#lifestyle #quotidien #slowlife #bienetre #lecture",
        ),
    },
}
_TAG_SETS = 60


@dataclass(frozen=True)
class _Part:
    """One part of every caption: all variants in one array, those of group g at starts[g] : starts[g] + sizes[g]."""

    texts: pa.Array
    starts: np.ndarray
    sizes: np.ndarray

    def draw(self, group: np.ndarray, position: np.ndarray) -> pa.Array:
        """Variant number `position` (wrapped around) of each `group`."""
        return self.texts.take(pa.array(self.starts[group] + position % self.sizes[group]))


def _part(groups: list[list[str]]) -> _Part:
    sizes = np.array([len(group) for group in groups])
    texts = [text for group in groups for text in group]
    return _Part(pa.array(texts, pa.large_string()), np.cumsum(sizes) - sizes, sizes)


def _tag_sets(niche: str, language: str) -> list[str]:
    """Hashtag runs of a niche, some empty: fixed, so that captions depend on the caller's numbers alone."""
    rng = np.random.default_rng([NICHES.index(niche), LANGUAGES.index(language)])
    own, general = _WORDS[niche][language][2].split(), _GENERAL[language].split()
    runs = []
    for _ in range(_TAG_SETS):
        count = int(rng.integers(0, min(6, len(own) + 1)))
        tags = [*rng.permutation(own)[:count], *rng.permutation(general)[: rng.integers(0, 3)]]
        runs.append(" ".join(tags))
    return runs


def _after_a_space(texts: list[str]) -> list[str]:
    return [f" {text}" if text else "" for text in texts]


@cache
def _parts() -> tuple[_Part, ...]:
    groups = [(niche, language) for language in LANGUAGES for niche in NICHES]
    leads = [_LEADS[language].split("|") for _, language in groups]
    things = [[f" {thing}," for thing in things_of(niche, language)] for niche, language in groups]
    remarks = [[f" {remark}." for remark in _WORDS[niche][language][1].split("|")] for niche, language in groups]
    closers = [_after_a_space(_CLOSERS[language].split("|")) for _, language in groups]
    tags = [_after_a_space(_tag_sets(niche, language)) for niche, language in groups]
    paid = [[f" {word} {brand}" for word in _PAID[language].split("|") for brand in BRANDS] for _, language in groups]
    plans = [[_PLANS[language]] for _, language in groups]
    return tuple(_part(texts) for texts in (leads, things, remarks, closers, tags, paid, plans))


def things_of(niche: str, language: str) -> list[str]:
    """What creators of a niche talk about."""
    return _WORDS[niche][language][0].split("|")


def draw_captions(
    niche: np.ndarray,
    language: np.ndarray,
    numbers: np.ndarray,
    *,
    sponsor: np.ndarray,
    giveaway: np.ndarray,
) -> pa.Array:
    """Write captions from numbers.

    Parameters
    ----------
    niche, language : ndarray of int, shape (posts,)
        Positions in `NICHES` and `LANGUAGES`.
    numbers : ndarray of int, shape (posts, 6)
        Which lead, thing, remark, closer, hashtags and disclosure to use; any number of 0 or more, wrapped around.
    sponsor : ndarray of int, shape (posts,)
        Position in `BRANDS` of the brand that paid, -1 where nobody did.
    giveaway : ndarray of bool, shape (posts,)
        Whether the post announces a giveaway.

    Returns
    -------
    pyarrow.Array of large_string, shape (posts,)
    """
    leads, things, remarks, closers, tags, paid, plans = _parts()
    group = language * len(NICHES) + niche
    nothing = pa.scalar("", pa.large_string())
    disclosed = paid.draw(group, (numbers[:, 5] % 6) * len(BRANDS) + np.maximum(sponsor, 0))
    pieces = [
        pc.if_else(pa.array(giveaway), plans.draw(group, numbers[:, 0]), leads.draw(group, numbers[:, 0])),
        things.draw(group, numbers[:, 1]),
        remarks.draw(group, numbers[:, 2]),
        closers.draw(group, numbers[:, 3]),
        pc.if_else(pa.array(sponsor >= 0), disclosed, nothing),
        tags.draw(group, numbers[:, 4]),
    ]
    return pc.binary_join_element_wise(*pieces, nothing)
